// Many peers of one stack at a time, each of which calls a WebRtcEndpoint that sends its sound back, through a
// path that loses and delays. Who offers decides who is the client of DTLS: whoever answers.

import { fileURLToPath } from 'node:url';

import { launchBrowser } from './browser.mjs';
import { Calls } from './calls.mjs';
import { invoke } from './client.mjs';
import { launchFirefox } from './firefox.mjs';
import { hearsTone } from './media.mjs';
import { PeerProcess } from './peer-process.mjs';
import { until } from './wait.mjs';

/** What the paths do in both directions. */
export const IMPAIRED = { loss: 5, jitter: 20 };

const TONE_HZ = 1000;
const script = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));

/** How peers of each stack are had: `{connect(ends, offered), close()}`, where each end has an `endpoint`, made with
 * the `parameters`, and a `path`. */
export const STACKS = {
  // As the client it knows no cipher suite for RSA, which is the default of the API.
  aiortc: async () => processOf('aiortc', script('.venv/bin/python'), script('aiortc/peers.py'), { certificateKeyType: 'ECDSA' }),
  // The interpreter that the distribution's GStreamer bindings are for.
  webrtcbin: async () => processOf('webrtcbin', '/usr/bin/python3', script('gstreamer/peers.py')),
  Chromium: async () => browserOf('Chromium', await launchBrowser()),
  Firefox: async () => browserOf('Firefox', await launchFirefox()),
};

/**
 * Lets `count` peers of a stack call at a time, or be called by the server (`offered`); resolves to the milliseconds
 * that each took from having both descriptions until it was connected, in order, when all of them hear themselves.
 * What their paths do follows from the number that the first of them has, `first`.
 */
export async function connectMany({ client, relay }, stack, { count, offered, first = 0 }) {
  const pipeline = await client.create('MediaPipeline');
  const ends = await Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const number = first + index;
      const endpoint = await pipeline.create('WebRtcEndpoint', { ...stack.parameters }); // the client adds to what it gets
      await invoke(endpoint, 'connect', endpoint);
      const path = relay.path(`${stack.name} ${offered ? 'called' : 'calls'} ${number}`, number + 1);
      await path.set({ up: IMPAIRED, down: IMPAIRED });
      return { endpoint, path };
    }),
  );
  const times = await stack.connect(ends, offered);
  await pipeline.release();
  return times.sort((a, b) => a - b);
}

function processOf(name, interpreter, file, parameters = {}) {
  return {
    name,
    parameters,
    async connect(ends, offered) {
      const peers = new PeerProcess(`the ${name} peers`, interpreter, [file, String(ends.length), offered ? 'answer' : 'offer']);
      const call = async ({ endpoint, path }, peer) => {
        const says = (what) => peers.message(`${name} peer ${peer}: ${what}`, (message) => message.peer === peer && what in message);
        const negotiated = offered ? peers.answer(endpoint, { path, peer }) : peers.negotiate(endpoint, { path, peer });
        const [{ connected }] = await Promise.all([says('connected'), says('heard'), negotiated]);
        return connected;
      };
      try {
        return await Promise.all(ends.map(call));
      } finally {
        await peers.close();
      }
    },
    async close() {},
  };
}

function browserOf(name, browser) {
  return {
    name,
    parameters: {},
    async connect(ends, offered) {
      const page = await browser.openProbe();
      const calls = await Calls.on(page);
      await page.evaluate((toneHz) => probe.createSource('microphone', { toneHz, video: false }), TONE_HZ);
      const call = async ({ endpoint, path }, number) => {
        const peer = `peer ${number}`;
        const options = { send: 'microphone', path };
        await (offered ? calls.openOffered(peer, endpoint, options) : calls.open(peer, endpoint, options));
        const connected = await until(() => page.evaluate((own) => probe.connectedAfter(own), peer), `${peer} connects`);
        await hearsTone(page, peer, TONE_HZ);
        return connected;
      };
      const times = await Promise.all(ends.map(call));
      await page.close();
      return times;
    },
    close: () => browser.close(),
  };
}
