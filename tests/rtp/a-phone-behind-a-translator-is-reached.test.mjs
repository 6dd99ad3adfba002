// A phone behind a translator (NAT, made of network namespaces): it is sent to where its packets come from, before and after the
// translator gives it another port, and nobody else can take its place.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Internet, PUBLIC } from '../lib/nat.mjs';
import { connectRpc } from '../lib/rpc.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { rtpPhone } from '../lib/rtp-phone.mjs';
import { rtpPeer, sectionsOf } from '../lib/rtp-peer.mjs';
import { until } from '../lib/wait.mjs';

const SYMMETRIC = { 'kurento/RtpEndpoint.conf.ini': 'symmetric=true\n' };
const WAYS = {
  'that says it is active (COMEDIA)': { lines: ['a=direction:active'], where: { port: 9, address: '0.0.0.0' } },
  'that gives its private address': { moduleConfig: SYMMETRIC, lines: [], where: {} },
};

let internet;
before(async () => {
  // One that takes another port for each of the phone's, and yet another one when it has forgotten.
  internet = await Internet.build({ browserNat: 'symmetric' });
});
after(() => internet?.close());

for (const [who, { moduleConfig, lines, where }] of Object.entries(WAYS)) {
  test(`a phone ${who}`, async () => {
    const server = await startRivero({ modules: ['rtp'], moduleConfig });
    const rpc = await connectRpc(server.url);
    const { address, publicAddress } = internet.places;
    const phone = await rtpPhone(internet.browser.prefix, address, publicAddress);
    const stranger = await rtpPhone(internet.public.prefix, PUBLIC.v4, publicAddress);
    const peer = await rtpPeer();
    try {
      const mediaPipeline = await rpc.create('MediaPipeline');
      const [line, desk] = [await rpc.create('RtpEndpoint', { mediaPipeline }), await rpc.create('RtpEndpoint', { mediaPipeline })];
      await rpc.invoke(line, 'connect', { sink: desk });
      await rpc.invoke(desk, 'connect', { sink: line });
      const [fed] = sectionsOf(await rpc.invoke(desk, 'processOffer', { offer: peer.sound() }));
      const offer = peer.sound(lines, { port: phone.port, address, ...where });
      const answer = await rpc.invoke(line, 'processOffer', { offer });
      const [section] = sectionsOf(answer);
      assert.match(answer, new RegExp(`^c=IN IP4 ${publicAddress}\r$`, 'm'));

      peer.speak(fed.port, { ssrc: 1 });
      phone.speak(section.port, { ssrc: 2, sequence: 65_500 });
      await phone.hears(20, 'the phone is reached');
      await peer.hears(20, 'and heard');
      phone.report(section.port + 1, 2);
      await until(() => phone.reports > 0, 'reports find their own way');

      stranger.speak(section.port, { ssrc: 3 });
      await phone.hears(20, 'the phone is reached while a stranger sends');
      internet.forgetMappings(internet.browserRouter);
      await phone.hears(20, 'the phone is reached at another port');
      await peer.hears(20, 'and still heard');
      assert.equal(stranger.heard, 0);
    } finally {
      [phone, stranger, peer].forEach((each) => each.close());
      await rpc.close();
      await server.stop();
    }
  });
}
