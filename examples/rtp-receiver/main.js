import { createPeer, invoke, negotiate, openPipeline, watchConnection } from '../common/call.js';
import { showFacts, showState } from '../common/page.js';
import { offerRun } from '../common/run.js';

const element = (id) => document.querySelector(`#${id}`);

/**
 * What the sender would say of itself: it only sends, H264 and Opus under these numbers, and where from shows when its
 * packets come (`a=direction:active`, which is why address and ports say nothing).
 */
const OFFER = [
  'v=0', 'o=- 0 0 IN IP4 0.0.0.0', 's=-', 'c=IN IP4 0.0.0.0', 't=0 0',
  'm=video 9 RTP/AVP 96', 'a=rtpmap:96 H264/90000', 'a=fmtp:96 packetization-mode=1', 'a=sendonly', 'a=direction:active',
  'm=audio 9 RTP/AVP 97', 'a=rtpmap:97 opus/48000/2', 'a=sendonly', 'a=direction:active', '',
].join('\r\n');

/** Sender → server → this page; each step says how it is undone. */
async function begin(cleanup, fail) {
  showState('working', 'Connecting to the server…');
  const peer = await createPeer('Recvonly', { remoteVideo: element('screen') });
  cleanup.add(() => peer.dispose());
  if (cleanup.over) return;

  const pipeline = await openPipeline(cleanup);
  const source = await pipeline.create('RtpEndpoint');
  const endpoint = await pipeline.create('WebRtcEndpoint');
  await invoke(source, 'connect', endpoint);
  source.on('Error', ({ description }) => fail(new Error(description)));
  source.on('MediaStateChanged', ({ newState }) => {
    if (cleanup.over) return;
    if (newState === 'CONNECTED') showState('live', 'Receiving');
    else showState('working', 'Nothing comes any more');
  });
  if (cleanup.over) return;

  watchConnection(peer, fail);
  await negotiate(peer, endpoint);
  const answer = await invoke(source, 'processOffer', OFFER);
  if (cleanup.over) return;
  element('command').textContent = commandFor(answer);
  cleanup.add(() => (element('command').textContent = ''));
  showState('working', 'Waiting for the sender');
  cleanup.add(showFacts(peer, element('facts')));
}

/** How FFmpeg sends to where an answer says. */
function commandFor(answer) {
  const [, address] = /^c=IN IP[46] (\S+)/m.exec(answer);
  const port = (kind) => new RegExp(`^m=${kind} (\\d+)`, 'm').exec(answer)[1];
  return [
    'ffmpeg -re -f lavfi -i testsrc2=size=640x480:rate=25 -f lavfi -i sine=frequency=440',
    '-map 0:v -c:v libx264 -profile:v baseline -pix_fmt yuv420p -tune zerolatency -g 50',
    `-payload_type 96 -f rtp rtp://${address}:${port('video')}?pkt_size=1200`,
    `-map 1:a -c:a libopus -ac 2 -payload_type 97 -f rtp rtp://${address}:${port('audio')}`,
  ].join(' \\\n  ');
}

offerRun(begin);
