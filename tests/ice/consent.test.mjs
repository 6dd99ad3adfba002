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
const PATHS = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` };
const isIn = (state) => (event) => event.state === state;

async function loop(name) {
  const pipeline = await parts.client.create('MediaPipeline');
  const endpoint = await pipeline.create('WebRtcEndpoint');
  await invoke(endpoint, 'connect', endpoint);
  await parts.calls.open(name, endpoint, { send: 'both', codecs: { video: 'VP8' } });
  await seesColour(parts.page, name, COLOURS.red);
  return endpoint;
}

/**
 * Begins to count the UDP datagrams that the server's machine sends to the browser's. Not all IP: the system asks for
 * its neighbours (ICMPv6), and repeats segments of TCP that nobody acknowledged, in its own time.
 */
function watchSent() {
  const count = (family, address) => `add rule inet watch out ${family} daddr ${address} meta l4proto udp counter name sent`;
  const rules = [
    'add table inet watch',
    'add counter inet watch sent',
    'add chain inet watch out { type filter hook output priority 0; }',
    count('ip', '198.51.100.20'),
    count('ip6', '2001:db8::20'),
  ];
  execFileSync('nft', [rules.join('; ')], { env: PATHS });
}

/** How many there were since. */
function sentToBrowser() {
  const output = execFileSync('nft', ['-j', 'list', 'counter', 'inet', 'watch', 'sent'], { encoding: 'utf8', env: PATHS });
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
  watchSent();
  const connections = await invoke(endpoint, 'getIceConnectionState');
  assert.equal(connections[0].state, 'FAILED');
  await new Promise((resolve) => setTimeout(resolve, 1000)); // nothing is to happen
  assert.equal(sentToBrowser(), 0, 'datagrams are sent without consent');
});
