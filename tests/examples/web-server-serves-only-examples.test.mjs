// The examples' web server gives out the pages and nothing else of the machine.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { serveExamples } from '../../examples/serve.mjs';

let examples;
before(async () => (examples = await serveExamples({ port: 0, server: 'ws://127.0.0.1:1/kurento' })));
after(() => examples.close());

/** A GET that, unlike fetch, sends the path exactly as given. */
function get(path) {
  return new Promise((resolve, reject) => {
    const sent = request(examples.url, { path }, async (response) => {
      let body = '';
      for await (const chunk of response.setEncoding('utf8')) body += chunk;
      resolve({ status: response.statusCode, location: response.headers.location, type: response.headers['content-type'], body });
    });
    sent.once('error', reject).end();
  });
}

test('the start page is the gallery', async () => {
  assert.deepEqual((await get('/')).location, '/gallery/');
  const page = await get('/gallery/');
  assert.equal(page.status, 200);
  assert.match(page.type, /text\/html/);
  const links = [...page.body.matchAll(/href="\.\.\/([^"]+\/)"/g)].map(([, link]) => link);
  assert.ok(links.length > 5, links.join());
  for (const link of links) {
    assert.equal((await get(`/${link}`)).status, 200, `the gallery links to ${link}`);
  }
});

test('it is a program by its own name and by another one, as when it is installed', () => {
  const directory = mkdtempSync(join(tmpdir(), 'rivero-gallery-'));
  const program = fileURLToPath(new URL('../../examples/serve.mjs', import.meta.url));
  const link = join(directory, 'rivero-gallery');
  symlinkSync(program, link);
  try {
    for (const name of [program, link]) assert.match(execFileSync(process.execPath, [name, '--help'], { encoding: 'utf8' }), /--sip-host/);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('a folder without its slash is redirected, so that its relative links work', async () => {
  assert.equal((await get('/hello-world')).location, '/hello-world/');
});

test('the pages are told where the media server is', async () => {
  assert.deepEqual(JSON.parse((await get('/config.json')).body), { server: 'ws://127.0.0.1:1/kurento' });
});

for (const path of [
  '/serve.mjs',
  '/package.json',
  '/sip-phone/line.mjs',
  '/../Cargo.toml',
  '/gallery/../../Cargo.toml',
  '/gallery/%2e%2e/%2e%2e/Cargo.toml',
  '/gallery/..%2f..%2fCargo.toml',
  '/etc/passwd',
  '//etc/passwd',
  '/gallery/%00',
  '/gallery/%ff',
  '/gallery/missing.html',
]) {
  test(`${path} is not found`, async () => {
    assert.equal((await get(path)).status, 404);
  });
}
