// HttpPostEndpoints and what is uploaded to them; servers that uploads go to.

import { request } from 'node:http';
import { createServer } from 'node:net';

import { invoke } from './client.mjs';

/** The settings with which a server takes uploads at a free port, with those of `settings` besides. */
export function uploadsAt(settings = '') {
  return { 'kurento/HttpEndpoint.conf.ini': 'serverAddress=127.0.0.1\nserverPort=0\n', 'kurento/HttpPostEndpoint.conf.ini': settings };
}

/** An HttpPostEndpoint; `errors` collects its Error events, `url` is where it is reached. */
export async function uploadEndpointOf(pipeline, settings = {}) {
  const endpoint = await pipeline.create('HttpPostEndpoint', settings);
  endpoint.errors = [];
  endpoint.on('Error', (error) => endpoint.errors.push(error));
  endpoint.url = await invoke(endpoint, 'getUrl');
  return endpoint;
}

/** An element that takes whatever it is given: a recorder that does not record yet. */
export function takerOf(pipeline) {
  return pipeline.create('RecorderEndpoint', { uri: 'file:///tmp/never-recorded.webm' });
}

/** Posts a body; resolves to `{status, text, headers}`. An asynchronous iterable is sent in chunks. */
export async function post(url, body, headers = {}) {
  const isPieces = body?.[Symbol.asyncIterator] && !(body instanceof Blob);
  const response = await fetch(url, { method: 'POST', body, headers, ...(isPieces && { duplex: 'half' }) });
  return { status: response.status, text: await response.text(), headers: response.headers };
}

/** A form with a field before and after the file. */
export function formWith(bytes, name = 'film.webm') {
  const form = new FormData();
  form.append('title', 'A film');
  form.append('file', new Blob([bytes]), name);
  form.append('agreed', 'yes');
  return form;
}

/**
 * Begins an upload in chunks. `write(bytes)` resolves when they are on their way, or nowhere to go; `end()` to the
 * answer's status; `abort()` cuts the connection. `answered` is the status, whenever it comes.
 */
export function beginPost(url, headers = {}) {
  const sent = request(url, { method: 'POST', headers });
  const answered = new Promise((resolve, reject) => {
    sent.once('response', (response) => resolve(response.resume().statusCode)).once('error', reject);
  });
  answered.catch(() => {}); // of a connection that is cut on purpose
  const closed = new Promise((resolve) => sent.once('close', resolve));
  return {
    answered,
    write: (bytes) => Promise.race([new Promise((resolve) => sent.write(bytes, resolve)), closed]),
    end: () => {
      sent.end();
      return answered;
    },
    abort: () => sent.destroy(),
  };
}

/** The URL of a server that takes connections, and nothing of what comes over them; it ends with the test. */
export async function hangingStore(context) {
  const sockets = new Set();
  const store = createServer({ pauseOnConnect: true }, (socket) => sockets.add(socket.on('error', () => {})));
  await new Promise((resolve) => store.listen(0, '127.0.0.1', resolve));
  context.after(() => {
    for (const socket of sockets) socket.destroy();
    store.close();
  });
  return `http://127.0.0.1:${store.address().port}`;
}
