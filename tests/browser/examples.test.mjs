// The example pages as a person uses them: clicks in, states and pictures out.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';

import { serveExamples } from '../../examples/serve.mjs';
import { CODE, TEXT } from '../lib/codes.mjs';
import { blocks } from '../lib/documents.mjs';
import { fixtureDirectory, makeMedia } from '../lib/fixtures.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS } from '../lib/media.mjs';
import { assertColour, colourAt as colourOfFile } from '../lib/recording.mjs';
import { noPipelineIsLeft } from '../lib/rpc.mjs';
import { RtmpServer } from '../lib/rtmp-server.mjs';
import { PATIENCE_MS, until } from '../lib/wait.mjs';

const directory = fixtureDirectory();
const nginx = new RtmpServer();
let examples;
/** What docs/install.md has for the examples beside the packages' configuration. */
const { UriEndpoint } = JSON.parse(blocks('docs/install.md').find(({ text }) => text.includes('"UriEndpoint"')).text).modules.kurento;
const rivero = live({ moduleConfig: { 'kurento/UriEndpoint.conf.json': JSON.stringify(UriEndpoint) } }, async ({ server }) => {
  await nginx.start();
  examples = await serveExamples({ port: 0, server: server.url });
});
after(async () => {
  await nginx.stop();
  await examples?.close();
});

async function open(path) {
  const page = await rivero.browser.openPage();
  await page.goto(new URL(path, examples.url).href);
  return page;
}

/** Waits for the page's state line to be `state` and, if given, to contain `text`. */
async function reaches(page, state, text = '') {
  await page
    .waitForFunction(
      ([wanted, part]) => {
        const line = document.querySelector('#state');
        return line.dataset.state === wanted && line.textContent.includes(part);
      },
      [state, text],
      { timeout: PATIENCE_MS },
    )
    .catch(async () => assert.fail(`state ${state} '${text}' not reached; the page says: ${await page.textContent('#state')}`));
}

/** Waits until the video element plays; with pictures, unless there is only sound. */
async function plays(page, selector, hasPicture = true) {
  const position = () => page.evaluate((video) => document.querySelector(video).currentTime, selector);
  const from = await position();
  await until(async () => (await position()) > from + 0.5, `${selector} plays`);
  assert.equal(await page.evaluate((video) => document.querySelector(video).videoWidth > 0, selector), hasPicture);
}

/** Colour of the picture of a video element at a place, in units of its width and height. */
function colourAt(page, selector, x, y) {
  return page.evaluate(
    ([video, across, down]) => {
      const { videoWidth, videoHeight } = document.querySelector(video);
      const context = new OffscreenCanvas(videoWidth, videoHeight).getContext('2d');
      context.drawImage(document.querySelector(video), 0, 0);
      return [...context.getImageData(across * videoWidth, down * videoHeight, 1, 1).data];
    },
    [selector, x, y],
  );
}

test('the gallery shows that the server answers', async () => {
  const page = await open('/');
  await reaches(page, 'live', 'protocol 7.3.0');
  assert.equal(await page.locator('.cards a').count(), 17);
  await page.close();
});

test('hello-world shows the camera coming back, and stops', async () => {
  const page = await open('/hello-world/');
  await page.click('#start');
  await reaches(page, 'live');
  await plays(page, '#remote');
  await until(() => page.textContent('#facts'), 'facts about the picture');

  await page.click('#stop');
  await reaches(page, 'idle');
  await noPipelineIsLeft(rivero.server.url);

  await page.click('#start');
  await reaches(page, 'live');
  assert.deepEqual(page.troubles, []);
  await page.click('#stop');
  await noPipelineIsLeft(rivero.server.url);
  await page.close();
});

test('hello-world says so when there is no server', async () => {
  const page = await open('/hello-world/?server=ws://127.0.0.1:9/kurento');
  await page.click('#start');
  await reaches(page, 'failed', 'No media server at ws://127.0.0.1:9/kurento');
  assert.ok(await page.isEnabled('#start'));
  await page.close();
});

test('magic-mirror shows the camera through the filter, with a hat that the server has fetched', async () => {
  const page = await open('/magic-mirror/');
  // A face in place of the camera.
  const face = `data:image/png;base64,${readFileSync(new URL('../pages/face.png', import.meta.url), 'base64')}`;
  await page.evaluate(async (url) => {
    const image = Object.assign(new Image(), { src: url });
    await image.decode();
    const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 480 });
    const context = canvas.getContext('2d');
    const draw = () => {
      context.fillStyle = 'grey';
      context.fillRect(0, 0, 640, 480);
      context.drawImage(image, 230, 200, 180, 225);
    };
    setInterval(draw, 50);
    navigator.mediaDevices.getUserMedia = async () => canvas.captureStream(20);
  }, face);
  await page.click('#start');
  await reaches(page, 'live');
  await plays(page, '#remote');
  // Above the head, where there is nothing but the hat.
  await until(async () => {
    const [red, green, blue] = await colourAt(page, '#remote', 320 / 640, 160 / 480);
    return red > green + 40 && red > blue + 40;
  }, 'a red hat is on the head');
  assert.deepEqual(page.troubles, []);
  await page.click('#stop');
  await noPipelineIsLeft(rivero.server.url);
  await page.close();
});

test('one2many: viewers wait, watch, lose the presenter and get the next one', async () => {
  const [presenter, early, late] = [await open('/one2many/'), await open('/one2many/'), await open('/one2many/')];
  await early.click('#watch');
  await reaches(early, 'working', 'Waiting');

  await presenter.click('#present');
  await reaches(presenter, 'live', 'presenting');
  await reaches(early, 'live', 'watching');
  await plays(early, '#screen');

  await late.click('#present');
  await reaches(late, 'failed', 'Somebody else is presenting');
  await late.click('#watch');
  await reaches(late, 'live', 'watching');
  await plays(late, '#screen');

  await presenter.click('#stop');
  await reaches(early, 'working', 'Waiting');
  await reaches(late, 'working', 'Waiting');

  await late.click('#stop');
  await late.click('#present');
  await reaches(late, 'live', 'presenting');
  await reaches(early, 'live', 'watching');
  await plays(early, '#screen');

  await early.click('#stop');
  await late.click('#stop');
  await noPipelineIsLeft(rivero.server.url);
  for (const page of [presenter, early, late]) await page.close();
});

test('player: plays, pauses, seeks, and says so at the end', async () => {
  const file = await makeMedia(directory, 'a.webm', { colours: [COLOURS.red, COLOURS.blue], seconds: 15, toneHz: 1000 });
  const page = await open('/player/');
  await page.fill('#uri', `file://${file}`);
  await page.click('#play');
  await reaches(page, 'live', 'Playing');
  await plays(page, '#screen');
  await until(() => page.isEnabled('#position'), 'the bar can be moved');
  await page.click('#pause');
  await reaches(page, 'working', 'Paused');
  await page.click('#play');
  await reaches(page, 'live', 'Playing');
  await page.evaluate(() => {
    const bar = document.querySelector('#position');
    bar.value = Number(bar.max) - 1000;
    for (const type of ['input', 'change']) bar.dispatchEvent(new Event(type));
  });
  await reaches(page, 'idle', 'The end');
  await noPipelineIsLeft(rivero.server.url);
  await page.close();
});

/** Waits until the page says that `seconds` or more have been recorded. */
async function records(page, seconds) {
  const recorded = async () => /^0:(\d\d), [1-9]\d* kB$/.exec(await page.textContent('#recorded'))?.[1] >= seconds;
  await until(recorded, `${seconds} s are recorded`);
}

test('hello-world-recording: the camera comes back, and is played again afterwards', async () => {
  const page = await open('/hello-world-recording/');
  assert.ok(await page.isDisabled('#play'));
  await page.click('#start');
  await reaches(page, 'live', 'recorded');
  await plays(page, '#remote');
  await records(page, 2);
  await page.click('#stop');
  await reaches(page, 'idle', 'Recorded');
  await noPipelineIsLeft(rivero.server.url);

  await page.click('#play');
  await reaches(page, 'live', 'Playing the recording');
  await plays(page, '#remote');
  await reaches(page, 'idle', 'The end of the recording');
  await noPipelineIsLeft(rivero.server.url);
  assert.deepEqual(page.troubles, []);
  await page.close();
});

for (const [profile, hasPicture] of [['WEBM', true], ['MP4', true], ['WEBM_AUDIO_ONLY', false], ['MP4_VIDEO_ONLY', true]]) {
  test(`recorder: ${profile} is recorded and played back`, async () => {
    const page = await open('/recorder/');
    await page.selectOption('#profile', profile);
    await page.click('#record');
    await reaches(page, 'live', 'Recording');
    await records(page, 2);
    await page.click('#stop');
    await reaches(page, 'idle', 'Recorded');
    assert.match(await page.textContent('#uri'), profile.startsWith('MP4') ? /\.mp4$/ : /\.webm$/);

    await page.click('#play');
    await reaches(page, 'live', 'Playing');
    await plays(page, '#remote', hasPicture);
    await reaches(page, 'idle', 'The end of the recording');
    await noPipelineIsLeft(rivero.server.url);
    assert.deepEqual(page.troubles, []);
    await page.close();
  });
}

test('recorder: pauses, goes on, and records again', async () => {
  const page = await open('/recorder/');
  await page.click('#record');
  await reaches(page, 'live', 'Recording');
  await records(page, 1);
  await page.click('#pause');
  await reaches(page, 'working', 'Paused');
  await page.click('#pause');
  await reaches(page, 'live', 'Recording');
  await page.click('#stop');
  await reaches(page, 'idle', 'Recorded');
  const first = await page.textContent('#uri');
  await page.click('#record');
  await reaches(page, 'live', 'Recording');
  assert.notEqual(await page.textContent('#uri'), first);
  await page.click('#stop');
  await reaches(page, 'idle', 'Recorded');
  await noPipelineIsLeft(rivero.server.url);
  await page.close();
});

test('recorder: says so when the server may not write', async () => {
  const page = await open('/recorder/');
  // As if the page asked for a place of the system.
  await page.evaluate(() => (crypto.randomUUID = () => '/../../../etc/rivero'));
  await page.click('#record');
  await reaches(page, 'failed', '40107');
  assert.ok(await page.isEnabled('#record'));
  await noPipelineIsLeft(rivero.server.url);
  await page.close();
});

test('rtp-receiver: shows what the command on the page sends', async () => {
  const page = await open('/rtp-receiver/');
  await page.click('#start');
  await reaches(page, 'working', 'Waiting for the sender');
  const command = (await page.textContent('#command')).replaceAll('\\\n', '');
  const [program, ...args] = command.split(/\s+/);
  assert.equal(program, 'ffmpeg');
  const sender = spawn(program, ['-v', 'error', ...args], { stdio: 'ignore' });
  try {
    await reaches(page, 'live', 'Receiving');
    await plays(page, '#screen');
  } finally {
    sender.kill();
  }
  await reaches(page, 'working', 'Nothing comes any more');
  assert.deepEqual(page.troubles, []);
  await page.click('#stop');
  await noPipelineIsLeft(rivero.server.url);
  await page.close();
});

test('vision: a screen gives way to a beach, and codes are read', async () => {
  const page = await open('/vision/?filter=chroma');
  await page.evaluate(colourForCamera, COLOURS.green);
  await page.click('#start');
  await reaches(page, 'live');
  await plays(page, '#remote');
  // The sky of the picture that the server has fetched from the page's own server.
  await until(async () => (await colourAt(page, '#remote', 0.5, 0.2))[2] > 200, 'the sky is seen');
  await page.click('#stop');
  await noPipelineIsLeft(rivero.server.url);

  await page.goto(new URL('/vision/?filter=code', examples.url).href);
  await page.evaluate((rows) => {
    const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 480 });
    const context = canvas.getContext('2d');
    const draw = () => {
      context.fillStyle = 'white';
      context.fillRect(0, 0, 640, 480);
      context.fillStyle = 'black';
      rows.forEach((row, y) => [...row].forEach((cell, x) => cell === '#' && context.fillRect(200 + 10 * x, 100 + 10 * y, 10, 10)));
    };
    setInterval(draw, 50);
    navigator.mediaDevices.getUserMedia = async () => canvas.captureStream(20);
  }, CODE);
  await page.click('#start');
  await reaches(page, 'live');
  await until(async () => (await page.textContent('#seen')).includes(`QR-Code: ${TEXT}`), 'the code is read');
  assert.deepEqual(page.troubles, []);
  await page.click('#stop');
  await noPipelineIsLeft(rivero.server.url);
  await page.close();
});

/** Puts one colour in place of the camera; runs in the page. */
function colourForCamera(colour) {
  const canvas = Object.assign(document.createElement('canvas'), { width: 320, height: 240 });
  const context = canvas.getContext('2d');
  setInterval(() => {
    context.fillStyle = `rgb(${colour.join(' ')})`;
    context.fillRect(0, 0, 320, 240);
  }, 50);
  const getUserMedia = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async () => {
    const [microphone] = (await getUserMedia({ audio: true })).getAudioTracks();
    return new MediaStream([microphone, ...canvas.captureStream(20).getVideoTracks()]);
  };
}

for (const server of ['this server', 'nginx']) {
  test(`rtmp-live: the camera comes back by way of an RTMP server, ${server}`, async () => {
    const page = await open('/rtmp-live/');
    await page.evaluate(colourForCamera, COLOURS.red);
    const isOther = server === 'nginx';
    if (isOther) await page.fill('#uri', nginx.url('live'));
    await page.click('#start');
    await reaches(page, 'live', 'Your camera is live');
    await plays(page, '#screen');
    await until(() => page.textContent('#facts'), 'facts about the picture');
    await until(() => page.textContent('#sent'), 'facts about what is published');
    const screenshot = join(directory, `rtmp-live ${server}.png`);
    await until(async () => {
      writeFileSync(screenshot, await page.locator('#screen').screenshot());
      assertColour(await colourOfFile(screenshot, 0), COLOURS.red, 'what the page shows');
      return true;
    }, 'the page shows the camera');
    if (isOther) {
      await nginx.kill();
      await reaches(page, 'working', 'The RTMP server is away');
      await nginx.start();
      await reaches(page, 'live', 'Your camera is live');
      await plays(page, '#screen');
    }
    assert.deepEqual(page.troubles, []);
    await page.click('#stop');
    await noPipelineIsLeft(rivero.server.url);
    await page.close();
  });
}

/** Whether there is something white on black, as names are written, from a place on. */
async function hasLetters(page, selector, x, y) {
  const places = Array.from({ length: 400 }, (_, index) => [x + 0.02 + 0.002 * (index % 50), y + 0.012 * Math.floor(index / 50)]);
  const lights = await page.evaluate(
    ([video, at]) => {
      const { videoWidth, videoHeight } = document.querySelector(video);
      const context = new OffscreenCanvas(videoWidth, videoHeight).getContext('2d');
      context.drawImage(document.querySelector(video), 0, 0);
      return at.map(([across, down]) => context.getImageData(across * videoWidth, down * videoHeight, 1, 1).data[1]);
    },
    [selector, places],
  );
  return lights.some((light) => light > 150) && lights.some((light) => light < 50);
}

test('co-hosting: two cameras are one picture, with names, which is on air', async () => {
  const [host, guest] = [await open('/co-hosting/'), await open('/co-hosting/')];
  await host.evaluate(colourForCamera, COLOURS.red);
  await guest.evaluate(colourForCamera, COLOURS.blue);
  await guest.click('#join');
  await reaches(guest, 'failed', 'no show yet');
  await host.fill('#name', 'Ada');
  await host.fill('#uri', nginx.url('show'));
  await host.click('#host');
  await reaches(host, 'live', 'You are on air');
  await plays(host, '#air');
  await guest.fill('#name', 'Grace');
  await guest.click('#host');
  await reaches(guest, 'failed', 'Somebody else is the host');
  await guest.click('#join');
  await reaches(guest, 'live', 'You are on air');
  for (const [page, video] of [[host, '#screen'], [guest, '#screen'], [host, '#air']]) {
    await plays(page, video);
    // Each beside the other one, with its name below.
    for (const [x, colour] of [[0.25, COLOURS.red], [0.75, COLOURS.blue]]) {
      const isNear = (seen) => colour.every((value, index) => Math.abs(seen[index] - value) < 32);
      await until(async () => isNear(await colourAt(page, video, x, 0.5)), `${video} shows ${colour} at ${x}`);
      await until(() => hasLetters(page, video, x - 0.25, 0.88), `${video} shows a name at ${x}`);
    }
  }
  const screenshot = join(directory, 'co-hosting.png');
  writeFileSync(screenshot, await host.screenshot());
  assert.deepEqual(host.troubles, []);
  await guest.click('#stop');
  await until(async () => Math.abs((await colourAt(host, '#screen', 0.5, 0.5))[2] - COLOURS.red[2]) < 32, 'the host is alone');
  await host.click('#stop');
  await noPipelineIsLeft(rivero.server.url);
  for (const page of [host, guest]) await page.close();
});
