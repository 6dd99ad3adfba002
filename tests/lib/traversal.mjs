// Calls of every direction and kind of media through one arrangement of
// translators, over each IP version, with what each side decodes.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { launchBrowser } from './browser.mjs';
import { Calls } from './calls.mjs';
import { connectClient, invoke } from './client.mjs';
import { COLOURS, hearsTone, isConnected, seesColour, seesMotion } from './media.mjs';
import { Internet, PUBLIC, TURN_PASSWORD, TURN_USER } from './nat.mjs';
import { startRivero } from './rivero.mjs';
import { until } from './wait.mjs';

const TONE_HZ = 1000;

/** What `turnUrl` is to be, over `transport`, at an address of the public host. */
export function turnUrl(address, transport = 'udp', port = transport === 'tls' ? 5349 : 3478) {
  const host = address.includes(':') ? `[${address}]` : address;
  return `${TURN_USER}:${TURN_PASSWORD}@${host}:${port}?transport=${transport}`;
}

/** The words of a candidate: its address, and its type. */
function parse(candidate) {
  const words = candidate.replace(/^candidate:/, '').split(' ');
  return { transport: words[2].toLowerCase(), address: words[4], type: words[7], text: candidate };
}

const isOf = { v4: (address) => !address.includes(':'), v6: (address) => address.includes(':') };

/** Lets candidates of one IP version and these types pass; hidden (mDNS) host ones pass if `hidden`. */
export function only(family, types = ['host', 'srflx', 'relay', 'prflx'], hidden = false) {
  return (text) => {
    const { transport, address, type } = parse(text);
    if (transport !== 'udp' || !types.includes(type)) return false;
    return address.endsWith('.local') ? hidden : isOf[family](address);
  };
}

/** The pair in use at an endpoint, parsed. */
export async function pairOf(endpoint) {
  const [pair] = await until(async () => {
    const pairs = await invoke(endpoint, 'getICECandidatePairs');
    return pairs.length > 0 && pairs;
  }, 'a pair is selected');
  return { local: parse(pair.localCandidate), remote: parse(pair.remoteCandidate) };
}

/** Everything that an arrangement needs, as hooks of the file. */
export function arrangement(nat, { turn = [], server = {}, browser = {} } = {}, arrange = () => {}) {
  const parts = {};
  before(async () => {
    parts.internet = await Internet.build(nat);
    parts.turn = await parts.internet.startTurn(turn);
    parts.server = await startRivero({ modules: ['webrtc'], ...server });
    parts.client = await connectClient(parts.server.url);
    parts.browser = await launchBrowser({ namespace: parts.internet.browser, ...browser });
    parts.page = await parts.browser.openProbe();
    parts.calls = await Calls.on(parts.page);
    for (const [name, tracks] of Object.entries(SOURCES)) {
      await parts.page.evaluate(
        ([source, settings]) => probe.createSource(source, settings),
        [name, { colour: COLOURS.red, toneHz: TONE_HZ, ...tracks }],
      );
    }
    await arrange(parts);
  });
  after(async () => {
    if (process.env.SHOW_TURN) console.log(parts.turn?.log);
    await parts.browser?.close();
    parts.client?.close();
    await parts.server?.stop();
    await parts.internet?.close();
  });
  return parts;
}

const SOURCES = { both: {}, audio: { video: false }, video: { audio: false } };
const KINDS = { both: ['audio', 'video'], audio: ['audio'], video: ['video'] };

/** Sending and receiving alone with sound alone and pictures alone, too: with SCALE=10. */
const FULL = Number(process.env.SCALE ?? 1) >= 10;

/**
 * E07 of the acceptance list. Declares the tests that over each IP version all directions and kinds of media get through.
 *
 * - `way`: how the two sides reach each other, in a few words.
 * - `nat`: that of `Internet.build`.
 * - `configuration(family)`: the browser's RTCConfiguration.
 * - `properties(family)`: what to set on endpoints, e.g. `{StunServerAddress: …}`.
 * - `allows(family)`: which candidates are passed on.
 * - `browser`: options of `launchBrowser`.
 * - `families`: the IP versions, both by default.
 * - `expects`: `{local, remote}`, the types of the pair as the server sees it.
 */
export function traversalTests({ way, nat = {}, configuration = () => ({}), properties = () => ({}), allows = only, families = ['v4', 'v6'], expects, browser, arrange }) {
  const parts = arrangement(nat, { browser }, arrange);

  for (const family of families) {
    const call = async (pipeline, name, options) => {
      const endpoint = await pipeline.create('WebRtcEndpoint');
      for (const [property, value] of Object.entries(properties(family))) await invoke(endpoint, `set${property}`, value);
      return {
        endpoint,
        open: () => parts.calls.open(name, endpoint, { ...options, allows: allows(family), configuration: configuration(family) }),
      };
    };

    test(`E07, ${way}, IP${family}: every direction and kind of media gets through`, async (t) => {
      const { page } = parts;
      const name = (what) => `${what}-${family}`;
      const pipeline = await parts.client.create('MediaPipeline');
      const [ends, receivers] = [[], []];
      for (const source of FULL ? Object.keys(SOURCES) : ['both']) {
        const [from, to] = [name(`sendonly-${source}`), name(`recvonly-${source}`)];
        const sender = await call(pipeline, from, { send: source, receive: false, codecs: { video: 'VP8' } });
        const viewer = await call(pipeline, to, { media: KINDS[source] });
        await invoke(sender.endpoint, 'connect', viewer.endpoint);
        ends.push({ ...sender, name: from }, { ...viewer, name: to });
        receivers.push([to, KINDS[source]]);
      }
      for (const source of Object.keys(SOURCES)) {
        const own = name(`sendrecv-${source}`);
        const loop = await call(pipeline, own, { send: source, codecs: { video: 'VP8' } });
        await invoke(loop.endpoint, 'connect', loop.endpoint);
        ends.push({ ...loop, name: own });
        receivers.push([own, KINDS[source]]);
      }
      await Promise.all(ends.map(({ open }) => open()));

      for (const end of ends) await isConnected(page, end.name);
      for (const [receiver, kinds] of receivers) {
        if (kinds.includes('video')) {
          await seesColour(page, receiver, COLOURS.red);
          await seesMotion(page, receiver);
        }
        if (kinds.includes('audio')) await hearsTone(page, receiver, TONE_HZ);
      }

      for (const { endpoint } of ends) {
        const { local, remote } = await pairOf(endpoint);
        t.diagnostic(`${local.text} | ${remote.text}`);
        if (expects.local) assert.ok(expects.local.includes(local.type), `we are seen as ${local.text}`);
        if (expects.remote) assert.ok(expects.remote.includes(remote.type), `the browser is ${remote.text}`);
        assert.ok(isOf[family](local.address), local.text);
      }
      await pipeline.release();
    });
  }
}

/** A STUN server for the browser. */
export const stunFor = (family) => ({ iceServers: [{ urls: `stun:${family === 'v6' ? `[${PUBLIC.v6}]` : PUBLIC.v4}:3478` }] });
