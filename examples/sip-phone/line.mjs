// The telephone line between phones and the page that answers them, at /sip-phone/call: phones speak SIP, the page plain
// requests, because a browser has no UDP.
//
//   GET     {"dial": "sip:…", "call": {"id", "offer", "revision"} or null}
//   PUT     ?id=<call>&revision=<n>, the description that answers, as text
//   DELETE  ?id=<call> ends it
//
// One call at a time: who else calls is told that the line is busy.

import { SipServer } from './sip.mjs';

const LARGEST_DESCRIPTION = 16_384; // characters

export class TelephoneLine {
  #sip;
  #call = null;

  /** Listens for phones at a port of an address; 0 picks a free one. */
  static async listen({ host, port }) {
    const line = new TelephoneLine();
    line.#sip = await SipServer.listen({ host, port }, { answer: (call) => line.#called(call), ended: (id) => line.#ended(id) });
    return line;
  }

  /** What to dial. */
  get uri() {
    return this.#sip.uri('rivero');
  }

  #called({ id, offer, revision }) {
    if (this.#call && this.#call.id !== id) throw new Error('486 Busy Here');
    if (!offer) throw new Error('the offer would have to be ours, and the page makes none');
    return new Promise((resolve) => (this.#call = { id, offer, revision, resolve }));
  }

  #ended(id) {
    if (this.#call?.id === id) this.#call = null;
  }

  /** Answers one HTTP request of the page. */
  async handle(request, response) {
    const { searchParams } = new URL(request.url, 'http://localhost');
    const isCurrent = searchParams.get('id') === this.#call?.id;
    switch (request.method) {
      case 'GET': {
        const { id, offer, revision } = this.#call ?? {};
        const state = { dial: this.uri, call: id ? { id, offer, revision } : null };
        return response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-store' }).end(JSON.stringify(state));
      }
      case 'PUT': {
        const answer = await text(request);
        if (!answer) return response.writeHead(400).end();
        if (!isCurrent || Number(searchParams.get('revision')) !== this.#call?.revision) return response.writeHead(404).end();
        this.#call.resolve(answer);
        return response.writeHead(204).end();
      }
      case 'DELETE':
        if (isCurrent) this.#sip.hangUp(searchParams.get('id'));
        return response.writeHead(204).end();
      default:
        return response.writeHead(405, { allow: 'GET, PUT, DELETE' }).end();
    }
  }

  close() {
    this.#sip.close();
  }
}

async function text(request) {
  let body = '';
  for await (const chunk of request.setEncoding('utf8')) {
    body += chunk;
    if (body.length > LARGEST_DESCRIPTION) return null;
  }
  return body;
}
