// A static server for tests/pages, on a free port of localhost (which browsers
// treat as a secure context, so that cameras are allowed).

import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../pages/', import.meta.url));
const types = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8' };

/** The file of a page's URL, as `{path, contentType}`; nothing if there is none. */
export async function pageFile(url) {
  const path = join(root, normalize(new URL(url, 'http://localhost').pathname));
  const isFile = path.startsWith(root) && (await stat(path).catch(() => null))?.isFile();
  return isFile ? { path, contentType: types[extname(path)] ?? 'application/octet-stream' } : undefined;
}

export async function servePages() {
  const server = createServer(async (request, response) => {
    const file = await pageFile(request.url);
    if (!file) return response.writeHead(404).end();
    response.writeHead(200, { 'content-type': file.contentType });
    createReadStream(file.path).pipe(response);
  });
  await new Promise((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://localhost:${server.address().port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  };
}
