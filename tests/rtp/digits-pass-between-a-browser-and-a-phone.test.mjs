// Telephone events (RFC 4733) between a browser and a phone of plain RTP: what a page dials (RTCDTMFSender) reaches the phone, and
// what the phone dials is heard in the page, whoever offers, whatever the clocks of the two are.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { live } from '../lib/live.mjs';
import { isConnected } from '../lib/media.mjs';
import { connectRpc } from '../lib/rpc.mjs';
import { rtpPeer, sectionsOf } from '../lib/rtp-peer.mjs';
import { until } from '../lib/wait.mjs';

const PHONES = {
  PCMU: { formats: '0 101', lines: ['a=rtpmap:0 PCMU/8000', 'a=rtpmap:101 telephone-event/8000'], rate: 8 },
  opus: { formats: '96 101', lines: ['a=rtpmap:96 opus/48000/2', 'a=rtpmap:101 telephone-event/48000'], rate: 48 },
};
const DIGITS = 101;
/** Hz of the digit 5: its row and its column on the keys. */
const FIVE = [770, 1336];
/** Tones of other digits. */
const OTHERS = [697, 941, 1209, 1477];

let rpc, page, calls;
const settings = { 'kurento/WebRtcEndpoint.conf.json': JSON.stringify({ telephoneEvent: true }) };
const rivero = live({ modules: ['rtp', 'webrtc', 'codecs'], moduleConfig: settings }, async ({ server, browser }) => {
  rpc = await connectRpc(server.url);
  page = await browser.openProbe();
  calls = await Calls.on(page);
  await page.evaluate(() => probe.createSource('microphone', { video: false, toneHz: 440 }));
});
after(() => rpc?.close());

/** A call of the page with a phone, both ways. */
async function call(t, name, { lines, formats }, offered) {
  const pipeline = await rivero.client.create('MediaPipeline');
  const phone = await rtpPeer();
  t.after(async () => {
    phone.close();
    await calls.close(name);
    await pipeline.release();
  });
  const webrtc = await pipeline.create('WebRtcEndpoint');
  const rtp = await rpc.create('RtpEndpoint', { mediaPipeline: pipeline.id });
  await rpc.value('subscribe', { object: rtp, type: 'TelephoneEvent' });
  const [section] = sectionsOf(await rpc.invoke(rtp, 'processOffer', { offer: phone.sound(lines, { formats }) }));
  await (offered ? calls.openOffered(name, webrtc, { send: 'microphone' }) : calls.open(name, webrtc, { send: 'microphone' }));
  await isConnected(page, name);
  await rpc.invoke(webrtc.id, 'connect', { sink: rtp });
  await rpc.invoke(rtp, 'connect', { sink: webrtc.id });
  await phone.hears(10, 'the phone hears the page');
  return { phone, rtp, port: section.port };
}

/** The digits that a phone heard since a packet: number and length in ms, one for each time stamp. */
function digitsSince(phone, begin, rate) {
  const events = phone.packets.slice(begin).filter(({ payloadType }) => payloadType === DIGITS);
  const stamps = [...new Set(events.map(({ timestamp }) => timestamp))];
  const digits = stamps.map((stamp) => events.filter(({ timestamp }) => timestamp === stamp));
  return digits.map((packets) => ({
    digit: packets[0].payload[0],
    milliseconds: packets.at(-1).payload.readUInt16BE(2) / rate,
    ends: packets.filter(({ payload }) => payload[1] >= 0x80).length,
  }));
}

for (const [sound, kind] of Object.entries(PHONES)) {
  for (const offered of [false, true]) {
    test(`what a page dials reaches a phone with ${sound}, ${offered ? 'where the server offers' : 'where the page offers'}`, async (t) => {
      const { phone } = await call(t, `${sound} ${offered}`, kind, offered);
      const begin = phone.packets.length;
      await page.evaluate((name) => {
        const [sender] = probe.connectionOf(name).getSenders().filter(({ track }) => track?.kind === 'audio');
        if (!sender.dtmf.canInsertDTMF) throw new Error('no digits were negotiated');
        sender.dtmf.insertDTMF('5#5', 120, 80);
      }, `${sound} ${offered}`);
      const all = () => digitsSince(phone, begin, kind.rate);
      await until(() => all().length >= 3 && all().every(({ ends }) => ends >= 3), 'three digits with their ends');
      await phone.hears(20, 'sound goes on');
      assert.deepEqual(all().map(({ digit, ends }) => [digit, ends]), [[5, 3], [11, 3], [5, 3]]);
      // Chromium sends a digit until its next packet of sound.
      assert.ok(all().every(({ milliseconds }) => milliseconds >= 100 && milliseconds <= 200), JSON.stringify(all()));
      const numbers = phone.packets.slice(begin).map(({ sequence }) => sequence);
      assert.ok(numbers.some((number, index) => index > 0 && number === ((numbers[index - 1] + 1) & 0xffff)));
    });
  }

  test(`what a phone with ${sound} dials is heard in the page, and told`, async (t) => {
    const { phone, rtp, port } = await call(t, `${sound} phone`, kind, false);
    // Opus without a sound is three bytes.
    const payload = () => (sound === 'opus' ? Buffer.from([0xf8, 0xff, 0xfe]) : Buffer.alloc(160, 0xff));
    const payloadType = sound === 'opus' ? 96 : 0;
    let [sequence, timestamp] = [1, 0];
    const send = (packet) => phone.send(port, { ssrc: 7, sequence: (sequence += 1), ...packet });
    const frame = 20 * kind.rate;
    // Sound, then a digit for a second in its place, then sound.
    const heard = () => page.evaluate(([name, tones]) => probe.tonesAmong(name, tones), [`${sound} phone`, [...FIVE, ...OTHERS]]);
    let dialled = 0;
    let tones = [];
    phone.every(20, () => {
      timestamp += frame;
      dialled += 1;
      const [begin, end] = [50, 100];
      if (dialled <= begin || dialled > end) return send({ payloadType, timestamp, payload: payload() });
      const units = (dialled - begin) * frame;
      const ends = dialled === end;
      const event = Buffer.from([5, ends ? 0x8a : 0x0a, units >> 8, units & 255]);
      const stamp = timestamp - (dialled - begin) * frame;
      for (let copy = 0; copy < (ends ? 3 : 1); copy += 1) send({ payloadType: DIGITS, timestamp: stamp, marker: dialled === begin + 1, payload: event });
    });
    await until(async () => {
      tones = (await heard()) ?? [];
      return FIVE.every((hz) => tones.includes(hz));
    }, `the page hears the digit`);
    assert.ok(!OTHERS.some((hz) => tones.includes(hz)), `${tones}`);
    await until(() => rpc.events.some(({ object, type }) => object === rtp && type === 'TelephoneEvent'), 'the digit is told');
    const told = rpc.events.filter(({ object, type }) => object === rtp && type === 'TelephoneEvent');
    assert.deepEqual(told.map(({ data }) => data.digit), ['5']);
    await until(async () => (await heard())?.length === 0, 'the digit ends');
  });
}
