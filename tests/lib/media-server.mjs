// HTTP servers for media, as good and as bad as they are.

import { createReadStream, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname } from 'node:path';

const TYPES = { '.mp4': 'video/mp4', '.webm': 'video/webm', '.ts': 'video/mp2t', '.m3u8': 'application/vnd.apple.mpegurl', '.m4s': 'video/iso.segment', '.png': 'image/png' };

const typeOf = (file) => TYPES[extname(file)] ?? 'application/octet-stream';

/** Starts a server with this handler; resolves to `{origin, requests, close}`. */
export async function serve(handler) {
  const requests = [];
  const server = createServer((request, response) => {
    requests.push({ url: request.url, headers: request.headers });
    handler(request, response);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = () => (server.close(), server.closeAllConnections());
  return { origin: `http://127.0.0.1:${server.address().port}`, requests, close };
}

/** Answers with a file, in parts where they are asked for. `most`: bytes after which each connection breaks. */
export function sendParts(request, response, file, most = Infinity) {
  const { size } = statSync(file);
  const [, from, to] = /bytes=(\d+)-(\d*)/.exec(request.headers.range ?? '') ?? [];
  const start = Number(from ?? 0);
  if (start >= size) return response.writeHead(416, { 'content-range': `bytes */${size}` }).end();
  const end = to ? Number(to) : size - 1;
  const range = from ? { 'content-range': `bytes ${start}-${end}/${size}` } : {};
  response.writeHead(from ? 206 : 200, { 'content-type': typeOf(file), 'accept-ranges': 'bytes', 'content-length': end - start + 1, ...range });
  const breaks = start + most - 1 < end;
  const stream = createReadStream(file, { start, end: breaks ? start + most - 1 : end });
  stream.pipe(response, { end: !breaks });
  if (breaks) stream.on('end', () => setImmediate(() => response.destroy()));
}

/** Answers with a whole file, whatever part is asked for; chunked, without a length, unless `length`. */
export function sendWhole(request, response, file, { length = false } = {}) {
  const known = length ? { 'content-length': statSync(file).size } : {};
  response.writeHead(200, { 'content-type': typeOf(file), ...known });
  createReadStream(file).pipe(response);
}
