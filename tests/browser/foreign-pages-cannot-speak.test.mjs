// A web page drives the server only if it comes from the server's own host, by a name that no foreign
// page can have, or from an origin that the configuration allows.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { launchBrowser } from '../lib/browser.mjs';
import { startRivero } from '../lib/rivero.mjs';

// To the browser these names lead to this machine, as after DNS rebinding or by an intranet's names.
const NAMES = '*.example';

let browser;
let port;
const servers = [];
before(async () => {
  browser = await launchBrowser({ args: [`--host-resolver-rules=MAP ${NAMES} 127.0.0.1`] });
  port = new URL(browser.origin).port;
});
after(async () => {
  await browser?.close();
  await Promise.all(servers.map((server) => server.stop()));
});

async function start(websocket = {}) {
  const server = await startRivero({ modules: ['passthrough'], config: { websocket } });
  servers.push(server);
  return server;
}

/** A page of the web server, by the name of `host`. */
async function pageOf(host) {
  const page = await browser.openPage();
  await page.goto(`http://${host}:${port}/probe.html`);
  return page;
}

/** What `ping` on a new WebSocket answers to the page, or `refused`. */
function ping(page, url) {
  return page.evaluate(
    (url) =>
      new Promise((resolve) => {
        const socket = new WebSocket(url);
        socket.onopen = () => socket.send('{"jsonrpc":"2.0","id":1,"method":"ping"}');
        socket.onmessage = ({ data }) => resolve(JSON.parse(data).result.value);
        socket.onerror = () => resolve('refused');
      }),
    url,
  );
}

test('a page of another host opens no socket, one of the same host does', async () => {
  const server = await start();
  const address = (host) => `ws://${host}:${server.port}/kurento`;
  const foreign = await pageOf('foreign.example');
  assert.equal(await ping(foreign, address('127.0.0.1')), 'refused');
  assert.equal(await ping(foreign, address('localhost')), 'refused');
  assert.match(server.log, /mediaServer\.net\.websocket\.allowedOrigins/);
  for (const host of ['localhost', '127.0.0.1']) {
    assert.equal(await ping(await pageOf(host), address(host)), 'pong', host);
  }
});

test('a page that has no origin opens no socket', async () => {
  const server = await start();
  const page = await pageOf('localhost');
  const answer = page.evaluate(
    (url) =>
      new Promise((resolve) => {
        addEventListener('message', ({ data }) => resolve(data));
        const frame = document.createElement('iframe');
        frame.sandbox = 'allow-scripts';
        const script = `const socket = new WebSocket('${url}'); socket.onopen = () => parent.postMessage('open', '*'); socket.onerror = () => parent.postMessage('refused', '*');`;
        frame.srcdoc = `<script>${script}</script>`;
        document.body.append(frame);
      }),
    `ws://localhost:${server.port}/kurento`,
  );
  assert.equal(await answer, 'refused');
});

test('a page of an allowed origin opens a socket', async () => {
  const server = await start({ allowedOrigins: ['*.partner.example'] });
  const address = `ws://127.0.0.1:${server.port}/kurento`;
  assert.equal(await ping(await pageOf('app.partner.example'), address), 'pong');
  assert.equal(await ping(await pageOf('foreign.example'), address), 'refused');
});

test('a name that was rebound to the server opens nothing, and shows no page', async () => {
  const server = await start();
  const rebound = await pageOf('rebound.example');
  assert.equal(await ping(rebound, `ws://rebound.example:${server.port}/kurento`), 'refused');
  const page = await browser.openPage();
  for (const path of ['health', 'metrics']) {
    const answer = await page.goto(`http://rebound.example:${server.port}/${path}`);
    assert.equal(answer.status(), 403, path);
  }
  assert.match(server.log, /mediaServer\.net\.websocket\.allowedHosts/);
});

test('a name that the configuration gives the server opens a socket', async () => {
  const server = await start({ allowedHosts: ['media.example'] });
  assert.equal(await ping(await pageOf('media.example'), `ws://media.example:${server.port}/kurento`), 'pong');
});
