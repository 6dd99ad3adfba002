// Where pages tell each other which object of the server is theirs to share, as who presents in one2many: one notice
// at a time.
//
//   GET     the notice, {"object": "<id>"}, or null
//   PUT     puts up a notice or renews it; 409 while another one is up
//   DELETE  ?object=<id> takes that notice down
//
// A notice that is not renewed for 10 s comes down by itself: its page is gone.
// Plain requests rather than an event stream, because a browser has only six
// connections for all its tabs.

const LIFETIME_MS = 10_000;
const LARGEST_NOTICE = 4096; // characters

export class NoticeBoard {
  #object = null;
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
        const object = await readObject(request);
        if (!object) return response.writeHead(400).end();
        return response.writeHead(this.announce(object) ? 204 : 409).end();
      }
      case 'DELETE':
        this.withdraw(new URL(request.url, 'http://localhost').searchParams.get('object'));
        return response.writeHead(204).end();
      default:
        return response.writeHead(405, { allow: 'GET, PUT, DELETE' }).end();
    }
  }

  current() {
    const fresh = this.#object && this.#now() - this.#renewedAt < LIFETIME_MS;
    return fresh ? { object: this.#object } : null;
  }

  /** False when the notice of somebody else is up. */
  announce(object) {
    const notice = this.current();
    if (notice && notice.object !== object) return false;
    this.#object = object;
    this.#renewedAt = this.#now();
    return true;
  }

  /** A page that closes late does not take down its successor's notice. */
  withdraw(object) {
    if (this.#object === object) this.#object = null;
  }
}

async function readObject(request) {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) {
    text += chunk;
    if (text.length > LARGEST_NOTICE) return null;
  }
  try {
    const { object } = JSON.parse(text);
    return typeof object === 'string' ? object : null;
  } catch {
    return null;
  }
}
