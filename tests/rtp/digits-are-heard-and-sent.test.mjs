// Telephone events (RFC 4733): what a peer dials is raised, what a client sends is dialled.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { connectRpc } from '../lib/rpc.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { rtpPeer, sectionsOf } from '../lib/rtp-peer.mjs';
import { until } from '../lib/wait.mjs';

const DIGITS = ['a=rtpmap:0 PCMU/8000', 'a=rtpmap:101 telephone-event/8000', 'a=fmtp:101 0-16'];

let server, rpc, mediaPipeline, endpoint, phone, section;
before(async () => {
  server = await startRivero({ modules: ['rtp'], moduleConfig: { 'kurento/RtpEndpoint.conf.ini': 'offerTelephoneEvent=true\n' } });
  rpc = await connectRpc(server.url);
  mediaPipeline = await rpc.create('MediaPipeline');
  endpoint = await rpc.create('RtpEndpoint', { mediaPipeline });
  await rpc.value('subscribe', { object: endpoint, type: 'TelephoneEvent' });
  phone = await rtpPeer();
  const offer = phone.sound(DIGITS, { formats: '0 101' });
  [section] = sectionsOf(await rpc.invoke(endpoint, 'processOffer', { offer }));
  // What it says comes back.
  await rpc.invoke(endpoint, 'connect', { sink: endpoint });
});
after(async () => {
  phone?.close();
  await rpc?.close();
  await server?.stop();
});

const dialled = () => rpc.events.filter(({ type }) => type === 'TelephoneEvent').map(({ data }) => [data.digit, data.durationMs]);

test('each digit is raised once, whatever of its packets is lost', async () => {
  assert.deepEqual(section.formats, ['0', '101']);
  assert.equal(section.get('fmtp'), '101 0-16');
  let sequence = 0;
  const packet = (timestamp, digit, duration, end = false) => {
    const payload = Buffer.from([digit, end ? 0x8a : 0x0a, duration >> 8, duration & 255]);
    phone.send(section.port, { payloadType: 101, ssrc: 7, sequence: (sequence += 1), timestamp, payload });
  };
  [160, 320, 800].forEach((duration) => packet(1000, 5, duration));
  [0, 1, 2].forEach(() => packet(1000, 5, 800, true));
  packet(3000, 5, 480, true);
  packet(5000, 11, 320);
  await until(() => dialled().length === 3, 'three digits');
  assert.deepEqual(dialled(), [['5', 100], ['5', 60], ['#', 40]]);
});

test('digits are sent one by one in place of sound, whose numbers go on behind', async () => {
  const stop = phone.speak(section.port, { ssrc: 8, payload: (n) => Buffer.alloc(160, n & 0xff) });
  await phone.hears(10);
  const begin = phone.packets.length;
  await rpc.invoke(endpoint, 'sendTelephoneEvent', { digits: '1*a', durationMs: 100, gapMs: 60 });
  const events = () => phone.packets.slice(begin).filter(({ payloadType }) => payloadType === 101);
  await until(() => events().filter(({ payload }) => payload[1] & 0x80).length === 9, 'three ends of three digits');
  await phone.hears(10, 'sound behind the digits');
  stop();
  const stamps = [...new Set(events().map(({ timestamp }) => timestamp))];
  assert.equal(stamps.length, 3);
  for (const [index, digit] of [1, 10, 12].entries()) {
    const packets = events().filter(({ timestamp }) => timestamp === stamps[index]);
    assert.ok(packets.every(({ payload, marker }, i) => payload[0] === digit && marker === (i === 0)));
    assert.equal(packets.at(-1).payload.readUInt16BE(2), 800);
  }
  assert.ok(stamps.every((stamp, i) => i === 0 || ((stamp - stamps[i - 1]) >>> 0) >= 160 * 8));
  const all = phone.packets.slice(begin);
  assert.ok(all.every(({ sequence }, i) => i === 0 || sequence === ((all[i - 1].sequence + 1) & 0xffff)), 'no number is left out');
  assert.ok(all.every(({ ssrc }) => String(ssrc) === section.get('ssrc').split(' ')[0]));
});

test('an offer has digits where the setting says so, under the numbers that the answer gives them', async () => {
  const caller = await rpc.create('RtpEndpoint', { mediaPipeline });
  const [audio] = sectionsOf(await rpc.invoke(caller, 'generateOffer', { options: { offerToReceiveVideo: false } }));
  assert.equal(audio.attributes.filter((attribute) => /telephone-event\/(8000|48000)$/.test(attribute)).length, 2);
  await rpc.invoke(caller, 'processAnswer', { answer: phone.sound(['a=rtpmap:121 telephone-event/8000'], { formats: '0 121' }) });
  const begin = phone.packets.length;
  await rpc.invoke(caller, 'sendTelephoneEvent', { digits: '7' });
  await until(() => phone.packets.slice(begin).some(({ payloadType, payload }) => payloadType === 121 && payload[0] === 7), 'a digit');
  await rpc.value('release', { object: caller });
});

test('what cannot be sent is told', async () => {
  await assert.rejects(rpc.invoke(endpoint, 'sendTelephoneEvent', { digits: '1x' }), { code: 40107 });
  await assert.rejects(rpc.invoke(endpoint, 'sendTelephoneEvent', { digits: '1', durationMs: 1 }), { code: 40107 });
  await rpc.invoke(endpoint, 'processOffer', { offer: phone.sound([], { version: 2 }) });
  await assert.rejects(rpc.invoke(endpoint, 'sendTelephoneEvent', { digits: '1' }), { code: 40111 });
});
