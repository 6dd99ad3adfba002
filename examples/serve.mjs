#!/usr/bin/env node
// The web server of the examples: static files, where to find Rivero, what
// pages share, and who calls sip-phone. Node only, no dependencies.

import { createReadStream, existsSync, realpathSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { NoticeBoard } from './board.mjs';
import { TelephoneLine } from './sip-phone/line.mjs';

const USAGE = `Serves Rivero's examples.

usage: node serve.mjs [options]

  --port N       port to listen on (default 8080, 0 picks a free one)
  --host NAME    address to listen on (default localhost). Browsers give cameras
                 only to pages from localhost or over HTTPS.
  --server URL   Rivero's address for the pages (default: port 8888 of the host
                 that the page comes from, path /kurento)
  --sip PORT     UDP port at which phones reach the page sip-phone (0 picks a
                 free one); without it there is no line for phones
  --sip-host IP  address for them (default 127.0.0.1)
  --help         this text
`;

const root = fileURLToPath(new URL('.', import.meta.url));
const PUBLIC = ['gallery', 'common', 'vendor', 'co-hosting', 'group-call', 'hello-world', 'hello-world-recording', 'magic-mirror', 'one2many', 'player', 'recorder', 'rtmp-live', 'rtp-receiver', 'sip-phone', 'vision'];
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
};

/**
 * Starts the server. Resolves to `{url, dial, close}` once it listens, `dial` being what phones call where there is a line
 * for them; rejects when a port is taken.
 */
export async function serveExamples({ port = 8080, host = 'localhost', server: mediaServer = null, sip, sipHost = '127.0.0.1' } = {}) {
  const line = sip === undefined ? null : await TelephoneLine.listen({ host: sipHost, port: sip });
  const services = new Map(['/one2many/presenter', '/co-hosting/show', '/group-call/call'].map((path) => [path, new NoticeBoard()]));
  if (line) services.set('/sip-phone/call', line);
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, 'http://localhost');
    const handled = services.get(pathname)?.handle(request, response) ?? answer(pathname, mediaServer, response);
    Promise.resolve(handled).catch((error) => {
      console.error(`${request.method} ${request.url}: ${error.message}`);
      if (!response.headersSent) response.writeHead(500);
      response.end();
    });
  });
  await new Promise((resolve, reject) => server.once('error', reject).listen(port, host, resolve));
  return {
    url: `http://${host}:${server.address().port}/`,
    dial: line?.uri,
    close: () =>
      new Promise((resolve) => {
        line?.close();
        server.close(resolve);
        server.closeAllConnections();
      }),
  };
}

async function answer(pathname, mediaServer, response) {
  if (pathname === '/') return redirect('/gallery/', response);
  if (pathname === '/config.json') return sendJson({ server: mediaServer }, response);
  const file = await publicFile(pathname);
  if (file?.missingSlash) return redirect(`${pathname}/`, response);
  if (!file) return response.writeHead(404, { 'content-type': 'text/plain' }).end('not found\n');
  response.writeHead(200, { 'content-type': TYPES[extname(file.path)] ?? 'application/octet-stream', 'cache-control': 'no-cache' });
  createReadStream(file.path).pipe(response);
}

/** The file behind a URL path, only within the public folders. */
async function publicFile(pathname) {
  let path;
  try {
    path = normalize(decodeURIComponent(pathname));
  } catch {
    return null; // not UTF-8 behind the percent signs
  }
  const folders = path.split(sep).filter(Boolean);
  if (path.includes('\0') || folders.includes('..') || !PUBLIC.includes(folders[0])) return null;
  const full = join(root, path);
  const found = await stat(full).catch(() => null);
  if (found?.isFile()) return extname(full) === '.mjs' ? null : { path: full };
  if (!found?.isDirectory()) return null;
  if (!path.endsWith('/')) return { missingSlash: true };
  const index = join(full, 'index.html');
  return existsSync(index) ? { path: index } : null;
}

function redirect(location, response) {
  response.writeHead(302, { location }).end();
}

function sendJson(value, response) {
  response.writeHead(200, { 'content-type': TYPES['.json'], 'cache-control': 'no-store' }).end(JSON.stringify(value));
}

async function main() {
  const options = { port: { type: 'string' }, host: { type: 'string' }, server: { type: 'string' }, sip: { type: 'string' }, 'sip-host': { type: 'string' }, help: { type: 'boolean' } };
  let values;
  try {
    ({ values } = parseArgs({ options }));
  } catch (error) {
    fail(`${error.message}\n\n${USAGE}`);
  }
  if (values.help) return console.log(USAGE.trimEnd());
  const port = portOf('port', values.port ?? '8080');
  const sip = values.sip === undefined ? undefined : portOf('sip', values.sip);
  if (!existsSync(join(root, 'vendor', 'kurento-client.js'))) fail("The browser builds of the Kurento libraries are missing: run 'make deps' first.");
  if (!existsSync(join(root, 'vendor', 'kurento-module-rivero.js'))) fail("Rivero's own classes for kurento-client are missing: run 'make build' first.");
  const { url, dial } = await serveExamples({ ...values, port, sip, sipHost: values['sip-host'] }).catch((error) => fail(`cannot listen: ${error.message}`));
  console.log(`Examples: ${url}`);
  if (dial) console.log(`Phones call ${dial}, which the page sip-phone answers.`);
}

function portOf(option, text) {
  const port = Number(text);
  if (text === '' || !Number.isInteger(port) || port < 0 || port > 65535) fail(`--${option} wants a number from 0 to 65535, not '${text}'`);
  return port;
}

function fail(message) {
  console.error(message);
  process.exit(1);
}

// `rivero-gallery` is a link to this file.
if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) await main();
