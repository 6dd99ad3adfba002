// What the IP headers of packets in the test's network namespace say.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { within } from './wait.mjs';

const program = fileURLToPath(new URL('./capture.py', import.meta.url));

/** Begins to count; resolves when nothing escapes it any more. */
export async function startCapture() {
  const child = spawn('python3', [program], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (what) => JSON.parse((await within(lines.next(), what)).value);
  await next('the capture begins');
  return {
    /** Packets by traffic class of one flow so far, e.g. `{184: 20}`. */
    async classes({ transport, from, to }) {
      child.stdin.write('\n');
      const flows = await next('the capture answers');
      const ours = flows.filter(([protocol, source, target]) => protocol === transport && source === from && target === to);
      return Object.fromEntries(ours.map(([, , , trafficClass, packets]) => [trafficClass, packets]));
    },
    stop: () => child.stdin.end(),
  };
}
