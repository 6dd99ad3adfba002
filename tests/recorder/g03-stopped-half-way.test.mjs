import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { connectClient, invoke } from '../lib/client.mjs';
import { makeMedia, playerOf } from '../lib/fixtures.mjs';
import { COLOURS } from '../lib/media.mjs';
import { assertColour, colourAt, decodesWhole, hasRecorded, probe, recorderOf, recordingDirectory, soundsAt, stopped } from '../lib/recording.mjs';
import { startRivero } from '../lib/rivero.mjs';

const directory = recordingDirectory();
let server, client, pipeline, source;
before(async () => {
  server = await startRivero();
  client = await connectClient(server.url);
  pipeline = await client.create('MediaPipeline');
  source = await makeMedia(directory, 'source.webm', { colours: [COLOURS.red, COLOURS.blue], seconds: 5, toneHz: 1000 });
});
after(async () => {
  client?.close();
  await server?.stop();
});

for (const profile of ['WEBM', 'MP4']) {
  for (const stops of ['recorder', 'player']) {
    test(`G03: a ${profile} whose ${stops} stops half-way ends there`, async () => {
      const file = join(directory, `${stops}.${profile.toLowerCase()}`);
      const player = await playerOf(pipeline, `file://${source}`);
      const recorder = await recorderOf(pipeline, player, `file://${file}`, { mediaProfile: profile });
      await invoke(recorder, 'record');
      await invoke(player, 'play');
      await hasRecorded(recorder, 2500);
      if (stops === 'player') await invoke(player, 'stop');
      const recorded = (await stopped(recorder)) / 1000;
      const { duration } = await probe(file);
      assert.ok(duration > 2.4 && duration < 5 && Math.abs(duration - recorded) < 0.2, `${duration} s, recorded ${recorded} s`);
      assert.ok((await decodesWhole(file)) > 30);
      assertColour(await colourAt(file, duration - 0.5), COLOURS.red, 'the end');
      await soundsAt(file, 1000, 0.5, duration - 0.4);
      assert.deepEqual([...player.errors, ...recorder.errors], []);
      await player.release();
      await recorder.release();
    });
  }
}
