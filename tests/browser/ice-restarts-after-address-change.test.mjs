// A browser whose address changes restarts ICE: the call goes on, on the new
// address, with the keys and streams that it had.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, hearsTone, isConnected, seesColour, seesMotion } from '../lib/media.mjs';
import { until } from '../lib/wait.mjs';

const ip = (...words) => execFileSync('ip', words, { env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` } });

// The server has a device of its own; the browser uses that of the default route.
ip('link', 'add', 'media2', 'type', 'veth', 'peer', 'name', 'media3');
ip('addr', 'add', '10.78.0.1/24', 'dev', 'media2');
ip('link', 'set', 'media2', 'up');
ip('link', 'set', 'media3', 'up');
ip('-6', 'addr', 'flush', 'dev', 'media0');

let page;
let calls;
let endpoint;
live({ moduleConfig: { 'kurento/WebRtcEndpoint.conf.ini': 'networkInterfaces=media2\n' } }, async ({ client, browser }) => {
  page = await browser.openProbe();
  calls = await Calls.on(page);
  const pipeline = await client.create('MediaPipeline');
  endpoint = await pipeline.create('WebRtcEndpoint');
  await invoke(endpoint, 'connect', endpoint);
  await page.evaluate((colour) => probe.createSource('camera', { colour, toneHz: 1000 }), COLOURS.red);
});

async function remoteAddress() {
  const [{ remoteCandidate }] = await invoke(endpoint, 'getICECandidatePairs');
  return remoteCandidate.split(' ')[4];
}

test('the call is up on the first address', async () => {
  await calls.open('me', endpoint, { send: 'camera' });
  await isConnected(page, 'me');
  await seesColour(page, 'me', COLOURS.red);
  assert.equal(await remoteAddress(), '10.77.0.1');
});

test('it goes on with colour, motion and tone after the address has changed', async () => {
  const before = await page.evaluate(() => probe.statistics('me'));
  ip('addr', 'add', '10.79.0.2/24', 'dev', 'media0');
  ip('addr', 'del', '10.77.0.1/24', 'dev', 'media0');
  ip('route', 'replace', 'default', 'via', '10.79.0.254', 'dev', 'media0');
  const { offer, answer } = await calls.change('me', { restartIce: true });
  const fragment = (sdp) => /a=ice-ufrag:(\S+)/.exec(sdp)[1];
  assert.notEqual(fragment(offer), fragment(answer));
  // Which one of those left is the browser's choice.
  await until(async () => (await remoteAddress()) !== '10.77.0.1', 'another address is in use');
  await page.evaluate((colour) => probe.setColour('camera', colour), COLOURS.blue);
  await seesColour(page, 'me', COLOURS.blue);
  await seesMotion(page, 'me');
  await hearsTone(page, 'me', 1000);
  const after = await page.evaluate(() => probe.statistics('me'));
  assert.equal(after.audio.ssrc, before.audio.ssrc);
  assert.ok(after.audio.packets > before.audio.packets);
  assert.deepEqual(page.troubles, []);
});

test('it can be restarted again', async () => {
  await calls.change('me', { restartIce: true });
  await page.evaluate((colour) => probe.setColour('camera', colour), COLOURS.green);
  await seesColour(page, 'me', COLOURS.green);
  await hearsTone(page, 'me', 1000);
});
