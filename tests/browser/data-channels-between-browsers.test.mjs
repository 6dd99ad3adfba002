// E06: messages cross the pipeline between all pairs of browsers, back to back.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { launchBrowser } from '../lib/browser.mjs';
import { Calls } from '../lib/calls.mjs';
import { connectClient, invoke } from '../lib/client.mjs';
import { launchFirefox } from '../lib/firefox.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { until } from '../lib/wait.mjs';

const BYTES = 300_000;
const PIECE = 60_000;

const parts = {};
before(async () => {
  parts.server = await startRivero();
  parts.client = await connectClient(parts.server.url);
  parts.Chromium = await launchBrowser();
  parts.Firefox = await launchFirefox();
});
after(async () => {
  await parts.Firefox?.close();
  await parts.Chromium?.close();
  parts.client?.close();
  await parts.server?.stop();
});

async function party(pipeline, browser) {
  const page = await browser.openProbe();
  const calls = await Calls.on(page);
  const endpoint = await pipeline.create('WebRtcEndpoint', { useDataChannels: true });
  return { page, calls, endpoint };
}

const isOpen = ({ page }) =>
  until(async () => (await page.evaluate(() => probe.channelState('me', 'chat')))?.readyState === 'open', 'the channel opens');

for (const [one, other] of [['Chromium', 'Chromium'], ['Chromium', 'Firefox'], ['Firefox', 'Firefox']]) {
  test(`E06: ${one} and ${other} exchange texts and binary data`, async () => {
    const pipeline = await parts.client.create('MediaPipeline');
    const ends = [await party(pipeline, parts[one]), await party(pipeline, parts[other])];
    await invoke(ends[0].endpoint, 'connect', ends[1].endpoint);
    await invoke(ends[1].endpoint, 'connect', ends[0].endpoint);
    for (const { calls, endpoint } of ends) await calls.open('me', endpoint, { media: false, channels: { chat: {} } });
    await Promise.all(ends.map(isOpen));
    for (const [from, to] of [ends, [...ends].reverse()]) {
      const said = ['one', 'zwei ✓', '3'.repeat(5000)];
      for (const text of said) await from.page.evaluate((words) => probe.sendText('me', 'chat', words), text);
      await until(async () => (await to.page.evaluate(() => probe.texts('me', 'chat'))).length === said.length, 'all is heard');
      assert.deepEqual(await to.page.evaluate(() => probe.texts('me', 'chat')), said);
      await from.page.evaluate(([size, length]) => probe.sendBinary('me', 'chat', size, length), [BYTES, PIECE]);
      const received = () => to.page.evaluate(() => probe.binary('me', 'chat'));
      await until(async () => (await received()).size >= BYTES, 'all of the data arrives');
      assert.deepEqual(await received(), { size: BYTES, intact: true, messages: BYTES / PIECE });
    }
    for (const { page } of ends) assert.deepEqual(page.troubles, []);
    await pipeline.release();
    for (const { page } of ends) await page.close();
  });
}
