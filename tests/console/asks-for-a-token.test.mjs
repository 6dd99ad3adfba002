// The console of a server that asks for tokens: nothing of it without one, and a browser's own way to give it.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { launchBrowser } from '../lib/browser.mjs';
import { connectClient, invoke } from '../lib/client.mjs';
import { artefacts, startRivero } from '../lib/rivero.mjs';
import { until } from '../lib/wait.mjs';

const OPERATOR = 'the token of an operator';
const CLIENT = 'the token of an application';
const token = (value) => value.replaceAll(' ', '-');

let server;
let client;
let browser;
let address;
before(async () => {
  const tokens = { operator: { value: token(OPERATOR), scope: 'all' }, app: { value: token(CLIENT) } };
  server = await startRivero({ config: { console: { path: artefacts.console }, auth: { tokens } } });
  const port = await until(() => server.log.match(/management on http:\/\/127\.0\.0\.1:(\d+)\//)?.[1], 'the management port is open');
  address = `http://127.0.0.1:${port}/console/`;
  client = await connectClient(server.url, { access_token: token(CLIENT) });
  browser = await launchBrowser();
});
after(async () => {
  await browser?.close();
  client?.close();
  await server?.stop();
});

test('no file and no figure without a token for all objects', async () => {
  const basic = (password) => ({ authorization: `Basic ${Buffer.from(`anybody:${password}`).toString('base64')}` });
  for (const path of ['', 'console.js', 'api', 'api/level?name=rivero']) {
    for (const [headers, status] of [[{}, 401], [basic('guessed-by-nobody'), 401], [basic(token(CLIENT)), 403]]) {
      const answer = await fetch(address + path, { headers });
      assert.deepEqual([answer.status, await answer.text()], [status, ''], path);
    }
  }
  assert.match((await fetch(address)).headers.get('www-authenticate'), /Basic realm=/);
});

test('a browser that was given the token as a password shows what is there', async () => {
  const pipeline = await client.create('MediaPipeline');
  await invoke(pipeline, 'setName', 'studio');
  await browser.context.setHTTPCredentials({ username: 'operator', password: token(OPERATOR) });
  const page = await browser.openPage();
  await page.goto(address);
  await page.getByRole('link', { name: 'studio' }).waitFor();
  await pipeline.release();
  await page.getByRole('link', { name: 'studio' }).waitFor({ state: 'detached' });
});
