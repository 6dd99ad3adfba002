import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { fixtureDirectory, makeMedia, playerOf, playInto, viewerOf } from '../lib/fixtures.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, isConnected, seesColour } from '../lib/media.mjs';
import { sendParts, serve } from '../lib/media-server.mjs';
import { nextEvent, until } from '../lib/wait.mjs';

const directory = fixtureDirectory();
let page, pipeline, viewer, store;
live({}, async ({ client, browser }) => {
  page = await browser.openProbe();
  pipeline = await client.create('MediaPipeline');
  viewer = await viewerOf(pipeline, await Calls.on(page), 'viewer');
  await isConnected(page, 'viewer');
  for (const colour of ['red', 'green']) await makeMedia(directory, `${colour} #1.webm`, { colours: [COLOURS[colour]], seconds: 3, toneHz: 1000 });
  await makeMedia(directory, 'blue.ts', { colours: [COLOURS.blue], seconds: 3, toneHz: 1000 });
  store = await serve(answer);
});
after(() => store?.close());

const line = 'http://169.254.169.254/latest';
/** Lists of the server by their names; each line that is no tag has to lead somewhere. */
const LISTS = {
  'two.m3u': '#EXTM3U\r\n#EXTINF:3,Red\r\nred%20%231.webm\r\n#EXTINF:3,Green\r\n/green%20%231.webm\r\n',
  'bare.m3u': 'red%20%231.webm\ngreen%20%231.webm\n',
  'two.pls': '[playlist]\nFile2=green%20%231.webm\nFile1=red%20%231.webm\nNumberOfEntries=2\n',
  'gaps.m3u8': '#EXTM3U\nnone.webm\nred%20%231.webm\nhttp://169.254.169.254/latest\nlists.pls\n',
  'lists.pls': '[playlist]\nFile1=green.m3u\n',
  'green.m3u': '#EXTM3U\ngreen%20%231.webm\n',
  'circle.m3u': '#EXTM3U\ncircle.m3u\n',
  'file.m3u': '#EXTM3U\nfile:///etc/hostname\n',
  'empty.m3u': '#EXTM3U\n',
  'segment.m3u8': `#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n${line}\n#EXT-X-ENDLIST\n`,
  'moved.m3u8': '#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nmetadata\n#EXT-X-ENDLIST\n',
  'key.m3u8': `#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-KEY:METHOD=AES-128,URI="${line}"\n#EXTINF:4,\nblue.ts\n#EXT-X-ENDLIST\n`,
  'head.m3u8': `#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MAP:URI="${line}"\n#EXTINF:4,\nblue.ts\n#EXT-X-ENDLIST\n`,
  'variant.m3u8': `#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n${line}\n`,
  'local.m3u8': '#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n',
  'masters.m3u8': '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nmasters.m3u8\n',
  'drm.m3u8': '#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-KEY:METHOD=SAMPLE-AES,URI="key"\n#EXTINF:4,\nblue.ts\n#EXT-X-ENDLIST\n',
  'text.m3u8': '#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nempty.m3u\n#EXT-X-ENDLIST\n',
  'gone.m3u8': '#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nnone.ts\n#EXT-X-ENDLIST\n',
};

function answer(request, response) {
  const name = decodeURIComponent(request.url.slice(1));
  if (name === 'metadata') return response.writeHead(302, { location: line }).end();
  if (name in LISTS) return response.writeHead(200, { 'content-type': name.endsWith('pls') ? 'audio/x-scpls' : 'text/plain' }).end(LISTS[name]);
  return name.includes('none') ? response.writeHead(404).end() : sendParts(request, response, join(directory, name));
}

/** Plays a list of red and green; resolves to the player at its end. */
async function playsBoth(uri) {
  const player = await playerOf(pipeline, uri);
  const states = [];
  let ends = 0;
  player.on('UriEndpointStateChanged', ({ state }) => states.push(state));
  player.on('EndOfStream', () => ends++);
  const end = nextEvent(player, 'EndOfStream');
  await playInto(player, viewer);
  await seesColour(page, 'viewer', COLOURS.red);
  await seesColour(page, 'viewer', COLOURS.green);
  await end;
  assert.deepEqual([states, ends], [['START', 'STOP'], 1], uri);
  await player.release();
  return player;
}

for (const name of ['two.m3u', 'bare.m3u', 'two.pls']) {
  test(`what ${name} of a server names is played`, async () => {
    assert.deepEqual((await playsBoth(`${store.origin}/${name}`)).errors, []);
  });
}

test('what a list names that is a file is below it', async () => {
  writeFileSync(join(directory, 'list.m3u'), `#EXTM3U\nred #1.webm\n${store.origin}/green%20%231.webm\n`);
  assert.deepEqual((await playsBoth(`file://${directory}/list.m3u`)).errors, []);
});

test('entries that cannot be played are told and left out, and lists within lists are played', async () => {
  const { errors } = await playsBoth(`${store.origin}/gaps.m3u8`);
  assert.deepEqual(errors.map(({ type }) => type), ['INVALID_URI', 'INVALID_URI']);
});

test('a list is stopped as a whole, and begun anew', async () => {
  const player = await playerOf(pipeline, `${store.origin}/two.m3u`);
  await playInto(player, viewer);
  await seesColour(page, 'viewer', COLOURS.red);
  await seesColour(page, 'viewer', COLOURS.green);
  await invoke(player, 'stop');
  await invoke(player, 'play');
  await seesColour(page, 'viewer', COLOURS.red);
  await player.release();
});

const REFUSED = {
  INVALID_URI: ['file.m3u', 'segment.m3u8', 'moved.m3u8', 'key.m3u8', 'head.m3u8', 'variant.m3u8', 'local.m3u8', 'gone.m3u8'],
  INVALID_MEDIA: ['circle.m3u', 'empty.m3u', 'masters.m3u8', 'drm.m3u8', 'text.m3u8'],
};
for (const [expected, names] of Object.entries(REFUSED)) {
  test(`what leads nowhere, or where nobody may go, is ${expected}`, async () => {
    await Promise.all(names.map(async (name) => {
      const player = await playerOf(pipeline, `${store.origin}/${name}`);
      const error = nextEvent(player, 'Error');
      await invoke(player, 'play');
      const { type, description } = await error;
      assert.equal(type, expected, `${name}: ${description}`);
      await until(async () => (await invoke(player, 'getState')) === 'STOP', `${name} stops`);
      assert.equal(player.errors.length, 1, name);
      await player.release();
    }));
  });
}
