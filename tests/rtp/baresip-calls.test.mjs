// baresip calls, plain and with keys: it is heard, hears, dials, hears digits, holds, resumes and is transferred, while the
// numbers of what it is sent begin anew.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { phoneCall, squareWave } from '../lib/baresip.mjs';
import { connectRpc } from '../lib/rpc.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { rtpPeer, sectionsOf } from '../lib/rtp-peer.mjs';
import { until } from '../lib/wait.mjs';

/**
 * Numbers are left out before the first packets, so that those that the phone gets begin anew within a second and not in a
 * quarter of an hour: 80,000, of which there are 65,536.
 */
const SKIPS = (n) => 2000 * Math.min(n, 40);

let server;
before(async () => {
  server = await startRivero({ modules: ['rtp'] });
});
after(() => server?.stop());

for (const encrypted of [false, true]) {
  test(`a call ${encrypted ? 'with keys' : 'in the clear'}`, async () => {
    const rpc = await connectRpc(server.url);
    const mediaPipeline = await rpc.create('MediaPipeline');
    const create = () => rpc.create('RtpEndpoint', { mediaPipeline });
    const [line, other, listener] = [await create(), await create(), await create()];
    for (const object of [line, other]) await rpc.value('subscribe', { object, type: 'TelephoneEvent' });
    const peer = await rtpPeer();
    await rpc.invoke(line, 'connect', { sink: listener });
    await rpc.invoke(listener, 'connect', { sink: line });
    await rpc.invoke(listener, 'connect', { sink: other });
    const [section] = sectionsOf(await rpc.invoke(listener, 'processOffer', { offer: peer.sound() }));
    const lines = { line, other };
    const phone = await phoneCall((offer, user) => rpc.invoke(lines[user], 'processOffer', { offer }), { encrypted });
    const { gateway } = phone;
    try {
      const [first] = gateway.offers;
      assert.equal(/a=crypto:/.test(first), encrypted, first);
      // A tone that is neither silence nor noise: mu-law's loudest are few.
      const loud = (packets) => packets.filter(({ payload }) => new Set(payload).size > 8).length;
      assert.ok(loud(await peer.hears(50, 'the phone is heard')) > 40);
      peer.speak(section.port, { ssrc: 7, sequence: 65_500, payload: () => squareWave, skips: SKIPS });
      const sent = async () => Object.values(await rpc.invoke(line, 'getStats')).find(({ type }) => type === 'outboundrtp')?.packetsSent ?? 0;
      await until(async () => (await sent()) > 75, 'the phone is sent sound');
      await until(() => phone.hearsTone(), 'the phone hears it behind the wrap of its numbers');
      const digits = (object) => rpc.events.filter((event) => event.object === object && event.type === 'TelephoneEvent').map(({ data }) => data.digit);
      phone.dial('5');
      await until(() => digits(line).includes('5'), 'a digit is heard');
      await rpc.invoke(line, 'sendTelephoneEvent', { digits: '7#' });
      await until(() => ['7', '#'].every((digit) => phone.said.includes(`received event: '${digit}' (end=1)`)), 'the phone hears digits');
      await until(() => phone.hearsTone(), 'and sound behind them');

      phone.type('/hold\n');
      await until(() => gateway.offers.length === 2, 'it holds');
      assert.match(gateway.offers[1], /a=(sendonly|inactive)/);
      phone.type('/resume\n');
      await until(() => gateway.offers.length === 3, 'it resumes');
      const before = await sent();
      assert.ok(loud(await peer.hears(50, 'the phone is heard again')) > 20);
      await until(async () => (await sent()) > before + 50, 'the phone is sent sound again');

      const endFormer = gateway.transfer('other');
      await until(() => gateway.offers.length === 4, 'it calls who it is transferred to');
      await until(() => gateway.notified.some((body) => /^SIP\/2\.0 200/.test(body)), 'it says that it got through');
      endFormer();
      await rpc.invoke(other, 'connect', { sink: listener });
      assert.ok(loud(await peer.hears(50, 'the phone is heard after the transfer')) > 20);
      phone.dial('9');
      await until(() => digits(other).includes('9'), 'a digit is heard after the transfer');
      assert.doesNotMatch(phone.said, /srtp: (failed|auth)/i);
      phone.type('/hangup\n');
      await until(() => gateway.ended === 2, 'it hangs up');
    } catch (error) {
      throw new Error(`${error.message}\n${phone.said}\n${gateway.notified.join('\n')}`, { cause: error });
    } finally {
      await phone.close();
      peer.close();
      await rpc.value('release', { object: mediaPipeline });
      await rpc.close();
    }
  });
}
