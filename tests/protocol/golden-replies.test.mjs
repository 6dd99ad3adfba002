// J09: every recorded request to Kurento 7.3 gets the recorded answer from the real modules, or one
// that differs on purpose: then docs/compatibility.md says so.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';

import { makeCodeVideo } from '../lib/codes.mjs';
import { fixtureDirectory, makeMedia } from '../lib/fixtures.mjs';
import { goldenRecords, Replay } from '../lib/golden.mjs';
import { COLOURS } from '../lib/media.mjs';
import { connectRpc } from '../lib/rpc.mjs';
import { startRivero } from '../lib/rivero.mjs';

/**
 * Records that are answered otherwise, as their member `here` has it: by the beginnings of their names, and the words
 * of the document about it.
 */
const DIFFERENT = [
  ['params.', 'malformed `params`'],
  ['create.webrtc.pipeline_is_', 'an object of the wrong class as a reference'],
  ['create.hubport.hub_is_pipeline', 'an object of the wrong class as a reference'],
  ['me.disconnect_sink_is_pipeline', 'an object of the wrong class as a reference'],
  ['create.webrtc.properties.', '`properties` in `create`'],
  ['create.recorder.profile.KURENTO_SPLIT_RECORDER', '`KURENTO_SPLIT_RECORDER`'],
  ['sm.getUsedCpu_negative', '`getUsedCpu` with a negative interval'],
  ['mo.webrtc.getChilds', '`getChilds`'],
  ['me.getMinOutputBitrate', '`minOutputBitrate`'],
  ['me.setMinOutputBitrate', '`minOutputBitrate`'],
  ['me.getMaxOutputBitrate', '`maxOutputBitrate`'],
  ['me.setMaxOutputBitrate', '`maxOutputBitrate`'],
  ['me.setOutputBitrate', '`setOutputBitrate`'],
  ['subscribe.webrtc.OnIceCandidate', '`OnIceCandidate`'],
  ['subscribe.webrtc.OnIceGatheringDone', '`OnIceGatheringDone`'],
  ['subscribe.webrtc.IceComponentStateChange', '`IceComponentStateChange`'],
  ['subscribe.webrtc.OnDataChannelOpened', '`OnDataChannelOpened`'],
  ['subscribe.webrtc.DataChannelOpen', '`DataChannelOpen`'],
  ['subscribe.webrtc.DataChannelClose', '`DataChannelClose`'],
  ['subscribe.webrtc.MediaFlowInStateChange', '`MediaFlowInStateChange`'],
  ['subscribe.webrtc.MediaFlowOutStateChange', '`MediaFlowOutStateChange`'],
  ['subscribe.webrtc.MediaTranscodingStateChange', '`MediaTranscodingStateChange`'],
  ['webrtc.initial.getExternalAddress', '`externalAddress`'],
  ['webrtc.setExternalAddress', '`externalAddress`'],
  ['create.player.uri_empty', 'URIs that name nothing or a directory'],
  ['webrtc.setMin_negative', 'negative bandwidths'],
  ['webrtc.processOffer_garbage', '`Invalid SDP`'],
  ['webrtc.processOffer_number', '`Invalid SDP`'],
  ['webrtc.processOffer_no_media', 'an offer without sections'],
  ['webrtc.addIce_missing_mid', '`sdpMid` or `sdpMLineIndex` left out'],
  ['webrtc.generateOffer_video_only', 'payload types of offers without audio'],
  ['k2k.getIceConnectionState', 'component 1 only'],
  ['k2k.getDtlsConnectionState', 'names of GStreamer elements'],
  ['stats.k2k_', 'statistics of directions without packets'],
  ['stats.rtp_', 'statistics of directions without packets'],
  ['rtp.generateOffer_twice', '`generateOffer` on a negotiated endpoint'],
  ['recorder.pause_before_record', '`pause` before `record`'],
  ['stats.recorder_', '`getStats` of a recorder'],
  ['dispatcher.connect_foreign_port', 'a `HubPort` of another hub'],
  ['create.filter.CrowdDetectorFilter.empty_rois', '`CrowdDetectorFilter` where the recorded Kurento lacked the module'],
  ['mixer.disconnect_video', '`Mixer.disconnect` of `VIDEO`'],
];
/** Not answered otherwise: there are the pipelines of other records. */
const SURROUNDINGS = ['sm.getPipelines'];

const documented = readFileSync(new URL('../../docs/compatibility.md', import.meta.url), 'utf8');
const directory = fixtureDirectory();
let server, replay, golden;
before(async () => {
  const opus = ['-c:v', 'libvpx', '-deadline', 'realtime', '-b:v', '300k', '-c:a', 'libopus'];
  await makeMedia(directory, 'tiny.webm', { colours: [COLOURS.red], seconds: 3, toneHz: 440, codecs: opus });
  await makeCodeVideo(directory);
  await makeMedia(directory, 'tiny.mp4', { colours: [COLOURS.red], seconds: 3, toneHz: 440 });
  server = await startRivero();
  golden = goldenRecords();
  replay = await Replay.of(server.url, golden, { media: directory, absent: await absentClasses() });
});
after(async () => {
  await replay?.close();
  await server?.stop();
});

/** The standard classes that no installed module makes. */
async function absentClasses() {
  const rpc = await connectRpc(server.url);
  const { modules } = await rpc.invoke('manager_ServerManager', 'getInfo');
  const present = new Set(modules.flatMap(({ factories }) => factories));
  const kmds = await Promise.all(['core', 'elements', 'filters'].map((moduleName) => rpc.invoke('manager_ServerManager', 'getKmd', { moduleName })));
  await rpc.close();
  const classes = kmds.flatMap((kmd) => JSON.parse(kmd).remoteClasses).filter((known) => !known.abstract);
  const examples = ['ChromaFilter', 'PlateDetectorFilter', 'CrowdDetectorFilter', 'KmsShowData'];
  return [...classes.map(({ name }) => name), ...examples].filter((name) => !present.has(name) && name !== 'ServerManager');
}

test('recorded requests get the recorded answers', async (t) => {
  const complaints = [];
  let replayed = 0;
  for (const record of golden.records) {
    if (!replay.concerns(record)) continue;
    replayed += 1;
    const complaint = await replay.complaint(record).catch((error) => `failed: ${error.message}`);
    if (complaint) complaints.push(`${record.name}: ${complaint}`);
  }
  t.diagnostic(`${replayed} of ${golden.records.length} records are about installed classes`);
  assert.equal(complaints.length, 0, `${complaints.length} complaints:\n${complaints.join('\n')}`);
});

test('every difference is documented', () => {
  const different = golden.records.filter(({ here }) => here).map(({ name }) => name);
  assert.ok(different.length > 50);
  const known = (name) => SURROUNDINGS.includes(name) || DIFFERENT.some(([beginning]) => name.startsWith(beginning));
  assert.deepEqual(different.filter((name) => !known(name)), []);
  for (const [beginning, words] of DIFFERENT) {
    assert.ok(documented.includes(words), `${beginning}: "${words}"`);
    assert.ok(different.some((name) => name.startsWith(beginning)), `${beginning} is a difference`);
  }
});
