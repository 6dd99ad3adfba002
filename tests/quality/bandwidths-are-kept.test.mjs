// min and max*Bandwidth: what a camera really sends when an endpoint sets them.

import { test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, seesColour, seesMotion } from '../lib/media.mjs';
import { until } from '../lib/wait.mjs';

const rivero = live();

/** A camera that would send about 900 kbit/s and a viewer, each after `prepare`. */
async function call({ camera: prepareCamera = {}, viewer: prepareViewer = {} }) {
  const pipeline = await rivero.client.create('MediaPipeline');
  const [camera, viewer] = [await pipeline.create('WebRtcEndpoint'), await pipeline.create('WebRtcEndpoint')];
  for (const [endpoint, properties] of [[camera, prepareCamera], [viewer, prepareViewer]]) {
    for (const [property, value] of Object.entries(properties)) await invoke(endpoint, `set${property}`, value);
  }
  await invoke(camera, 'connect', viewer);
  const page = await rivero.browser.openProbe();
  const calls = await Calls.on(page);
  await page.evaluate((colour) => probe.createSource('source', { colour, scale: 2, detail: 40 }), COLOURS.blue);
  await calls.open('camera', camera, { send: 'source', receive: false, encodings: [{ maxBitrate: 900_000 }], codecs: { video: 'VP8' } });
  await calls.open('viewer', viewer, {});
  await seesColour(page, 'viewer', COLOURS.blue);
  const sends = (low, high) =>
    until(async () => {
      const { bitrate } = Object.values(await camera.getStats('VIDEO')).find(({ type }) => type === 'inboundrtp');
      // Three times in a row, or a rate that only passes by would do.
      sends.fitting = bitrate >= low * 1000 && bitrate <= high * 1000 ? (sends.fitting ?? 0) + 1 : 0;
      sends.last = bitrate;
      await new Promise((resolve) => setTimeout(resolve, 500));
      return sends.fitting >= 3;
    }, `the camera sends ${low} to ${high} kbit/s`).catch((error) => {
      throw new Error(`${error.message}; it sends ${sends.last} bit/s`);
    });
  return { pipeline, page, camera, viewer, sends };
}

test('maxVideoRecvBandwidth bounds what the peer sends', async () => {
  const { pipeline, page, sends } = await call({ camera: { MaxVideoRecvBandwidth: 200 } });
  await sends(50, 240);
  await seesMotion(page, 'viewer');
  await pipeline.release();
  await page.close();
});

test('maxVideoSendBandwidth bounds what a source is asked for, and may change while media flows', async () => {
  const { pipeline, page, viewer, sends } = await call({});
  await sends(500, 1200);
  await invoke(viewer, 'setMaxVideoSendBandwidth', 250);
  await sends(50, 300);
  await seesMotion(page, 'viewer');
  await invoke(viewer, 'setMaxVideoSendBandwidth', 2000);
  await sends(500, 1200);
  await pipeline.release();
  await page.close();
});
