// Who presents, as the pages of one2many tell each other: one notice at a time,
// at /one2many/presenter.
//
//   GET     the notice, {"endpoint": "<id of the presenter's WebRtcEndpoint>"}, or null
//   PUT     puts up a notice or renews it; 409 while another one is up
//   DELETE  ?endpoint=<id> takes that notice down
//
// A notice that is not renewed for 10 s comes down by itself: its page is gone.
// Plain requests rather than an event stream, because a browser has only six
// connections for all its tabs.

const LIFETIME_MS = 10_000;
const LARGEST_NOTICE = 4096; // characters

export class PresenterBoard {
  #endpoint = null;
  #renewedAt = 0;
  #now;

  /** `now` is the clock, in milliseconds. */
  constructor(now = Date.now) {
    this.#now = now;
  }

  /** Answers one HTTP request. */
  async handle(request, response) {
    switch (request.method) {
      case 'GET': {
        const notice = this.current();
        return response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-store' }).end(JSON.stringify(notice));
      }
      case 'PUT': {
        const endpoint = await readEndpoint(request);
        if (!endpoint) return response.writeHead(400).end();
        return response.writeHead(this.announce(endpoint) ? 204 : 409).end();
      }
      case 'DELETE':
        this.withdraw(new URL(request.url, 'http://localhost').searchParams.get('endpoint'));
        return response.writeHead(204).end();
      default:
        return response.writeHead(405, { allow: 'GET, PUT, DELETE' }).end();
    }
  }

  current() {
    const fresh = this.#endpoint && this.#now() - this.#renewedAt < LIFETIME_MS;
    return fresh ? { endpoint: this.#endpoint } : null;
  }

  /** False when somebody else presents. */
  announce(endpoint) {
    const notice = this.current();
    if (notice && notice.endpoint !== endpoint) return false;
    this.#endpoint = endpoint;
    this.#renewedAt = this.#now();
    return true;
  }

  /** A page that closes late does not take down its successor's notice. */
  withdraw(endpoint) {
    if (this.#endpoint === endpoint) this.#endpoint = null;
  }
}

async function readEndpoint(request) {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) {
    text += chunk;
    if (text.length > LARGEST_NOTICE) return null;
  }
  try {
    const { endpoint } = JSON.parse(text);
    return typeof endpoint === 'string' ? endpoint : null;
  } catch {
    return null;
  }
}
