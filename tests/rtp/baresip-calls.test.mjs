// baresip calls, plain and with keys: it is heard, hears, dials, holds and resumes.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { phoneCall } from '../lib/baresip.mjs';
import { connectRpc } from '../lib/rpc.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { rtpPeer, sectionsOf } from '../lib/rtp-peer.mjs';
import { until } from '../lib/wait.mjs';

let server;
before(async () => {
  server = await startRivero({ modules: ['rtp'] });
});
after(() => server?.stop());

for (const encrypted of [false, true]) {
  test(`a call ${encrypted ? 'with keys' : 'in the clear'}`, async () => {
    const rpc = await connectRpc(server.url);
    const mediaPipeline = await rpc.create('MediaPipeline');
    const [line, listener] = [await rpc.create('RtpEndpoint', { mediaPipeline }), await rpc.create('RtpEndpoint', { mediaPipeline })];
    await rpc.value('subscribe', { object: line, type: 'TelephoneEvent' });
    const peer = await rtpPeer();
    await rpc.invoke(line, 'connect', { sink: listener });
    await rpc.invoke(listener, 'connect', { sink: line });
    const [section] = sectionsOf(await rpc.invoke(listener, 'processOffer', { offer: peer.sound() }));
    const phone = await phoneCall((offer) => rpc.invoke(line, 'processOffer', { offer }), { encrypted });
    try {
      const [first] = phone.gateway.offers;
      assert.equal(/a=crypto:/.test(first), encrypted, first);
      // A tone that is neither silence nor noise: mu-law's loudest are few.
      const loud = (packets) => packets.filter(({ payload }) => new Set(payload).size > 8).length;
      assert.ok(loud(await peer.hears(50, 'the phone is heard')) > 40);
      peer.speak(section.port, { ssrc: 7, sequence: 65_500 });
      const sent = async () => Object.values(await rpc.invoke(line, 'getStats')).find(({ type }) => type === 'outboundrtp')?.packetsSent ?? 0;
      await until(async () => (await sent()) > 50, 'the phone is sent sound');
      phone.dial('5');
      await until(() => rpc.events.some(({ type, data }) => type === 'TelephoneEvent' && data.digit === '5'), 'a digit is heard');

      phone.type('/hold\n');
      await until(() => phone.gateway.offers.length === 2, 'it holds');
      assert.match(phone.gateway.offers[1], /a=(sendonly|inactive)/);
      phone.type('/resume\n');
      await until(() => phone.gateway.offers.length === 3, 'it resumes');
      const before = await sent();
      assert.ok(loud(await peer.hears(50, 'the phone is heard again')) > 20);
      await until(async () => (await sent()) > before + 50, 'the phone is sent sound again');
      phone.type('/hangup\n');
      await until(() => phone.gateway.ended, 'it hangs up');
    } catch (error) {
      throw new Error(`${error.message}\n${phone.said}`, { cause: error });
    } finally {
      await phone.close();
      peer.close();
      await rpc.value('release', { object: mediaPipeline });
      await rpc.close();
    }
  });
}
