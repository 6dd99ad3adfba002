// A peer that falls silent is disconnected, then failed, and gets nothing more;
// one that comes back in time goes on.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';

import { invoke } from '../lib/client.mjs';
import { COLOURS, decodesFrames, seesColour } from '../lib/media.mjs';
import { arrangement } from '../lib/traversal.mjs';
import { nextEvent } from '../lib/wait.mjs';

const parts = arrangement({});
const isIn = (state) => (event) => event.state === state;

async function loop(name) {
  const pipeline = await parts.client.create('MediaPipeline');
  const endpoint = await pipeline.create('WebRtcEndpoint');
  await invoke(endpoint, 'connect', endpoint);
  await parts.calls.open(name, endpoint, { send: 'both', codecs: { video: 'VP8' } });
  await seesColour(parts.page, name, COLOURS.red);
  return endpoint;
}

/** UDP datagrams that the server's machine has sent to the browser's so far. */
function sentToBrowser() {
  const output = execFileSync('nft', ['-j', 'list', 'counter', 'inet', 'watch', 'sent'], { encoding: 'utf8', env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` } });
  return JSON.parse(output).nftables.find(({ counter }) => counter).counter.packets;
}

test('a short silence is survived, a long one is the end of sending', async () => {
  const { internet, page } = parts;
  const endpoint = await loop('silent');

  const disconnected = nextEvent(endpoint, 'IceComponentStateChanged', isIn('DISCONNECTED'));
  internet.block(internet.browser, 'meta l4proto { udp, tcp }');
  await disconnected;
  const ready = nextEvent(endpoint, 'IceComponentStateChanged', isIn('READY'));
  internet.unblock(internet.browser);
  await ready;
  const { video } = await page.evaluate(() => probe.statistics('silent'));
  await decodesFrames(page, 'silent', video.framesDecoded + 20);

  const failed = nextEvent(endpoint, 'IceComponentStateChanged', isIn('FAILED'), 60_000);
  const gone = nextEvent(endpoint, 'ConnectionStateChanged', ({ newState }) => newState === 'DISCONNECTED', 60_000);
  internet.block(internet.browser, 'meta l4proto { udp, tcp }');
  await gone;
  await failed;
  execFileSync('sh', ['-c', "PATH=$PATH:/usr/sbin nft 'add table inet watch; add counter inet watch sent; add chain inet watch out { type filter hook output priority 0; }; add rule inet watch out ip daddr 198.51.100.20 counter name sent; add rule inet watch out ip6 daddr 2001:db8::20 counter name sent'"]);
  const connections = await invoke(endpoint, 'getIceConnectionState');
  assert.equal(connections[0].state, 'FAILED');
  await new Promise((resolve) => setTimeout(resolve, 1000)); // nothing is to happen
  assert.equal(sentToBrowser(), 0, 'datagrams are sent without consent');
});
