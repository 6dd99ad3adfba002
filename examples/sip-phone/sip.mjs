// As much of SIP (RFC 3261) as it takes to be called by a phone, over UDP: calls, changes of calls, their end from either
// side. Whoever listens says with which descriptions they are answered; media is none of its business.
//
// It registers nobody and trusts everybody: a phone calls it directly, or a proxy such as Kamailio in front, which does both.

import { createSocket } from 'node:dgram';

/** Between two repetitions of an answer that was not acknowledged at first, and how long they go on (T1 and 64*T1, §17.1.1.1). */
const T1_MS = 500;
/** An answer to a request is kept for repetitions of the request for as long. */
const KEPT_MS = 64 * T1_MS;

export class SipServer {
  #socket;
  #host;
  #handler;
  /** Answers by transaction. */
  #answers = new Map();
  /** Calls by their Call-ID: what requests within them need, and how far they are. */
  #calls = new Map();

  /**
   * Listens at an address. `handler` has
   * - `answer({id, user, offer, revision})`, which resolves to the description that answers the offer of a call to `user`, or
   *   rejects where there is none. Of the same call it is asked again, with a higher revision, when the phone changes it;
   * - `ended(id)`, when a call is over;
   * - `request(method, body)`, optional: other requests that came, which are all accepted.
   */
  static async listen({ host, port }, handler) {
    const server = new SipServer();
    server.#handler = handler;
    server.#host = host;
    server.#socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    await new Promise((resolve, reject) => server.#socket.once('error', reject).bind(port, host, resolve));
    server.#socket.on('message', (data, { address, port: from }) => server.#received(String(data), { address, port: from }));
    server.port = server.#socket.address().port;
    return server;
  }

  /** What a phone dials to call `user`. */
  uri(user) {
    return `sip:${user}@${this.#host.includes(':') ? `[${this.#host}]` : this.#host}:${this.port}`;
  }

  /** Ends a call, also one that is not answered yet. */
  hangUp(id) {
    const call = this.#calls.get(id);
    if (!call) return;
    call.cancel?.('486 Busy Here');
    if (call.established) this.request(id, 'BYE');
    this.#forget(id);
  }

  /** Sends a request within a call; what answers it is not looked at. */
  request(id, method, fields = []) {
    const call = this.#calls.get(id);
    call.sequence += 1;
    const head = [
      `${method} ${call.target} SIP/2.0`,
      `Via: SIP/2.0/UDP ${this.#host}:${this.port};branch=z9hG4bK${Math.random().toString(36).slice(2)}`,
      'Max-Forwards: 70',
      ...call.route,
      `From: ${call.to}`,
      `To: ${call.from}`,
      `Call-ID: ${id}`,
      `CSeq: ${call.sequence} ${method}`,
      `Contact: <${this.uri('server')}>`,
    ];
    this.#send(message([...head, ...fields]), call);
  }

  close() {
    for (const id of [...this.#calls.keys()]) this.hangUp(id);
    this.#socket.close();
  }

  #send(text, { address, port }) {
    this.#socket.send(text, port, address);
  }

  async #received(text, sender) {
    const request = parsed(text);
    if (!request) return;
    if (request.method === 'ACK') return clearTimeout(this.#calls.get(request.id)?.repeat);
    const key = [request.id, request.field('cseq')].join(' ');
    const isNew = !this.#answers.has(key);
    if (isNew) {
      if (request.method === 'INVITE') this.#send(reply(request, '180 Ringing', this.uri('server')), sender);
      this.#answers.set(key, this.#answered(request, sender));
      setTimeout(() => this.#answers.delete(key), KEPT_MS).unref();
    }
    const answer = await this.#answers.get(key);
    this.#send(answer, sender);
    if (isNew && request.method === 'INVITE') this.#repeatUntilAcknowledged(request.id, answer, sender);
  }

  /** The answer to a request. */
  async #answered(request, sender) {
    const accepted = (body) => reply(request, '200 OK', this.uri('server'), body);
    switch (request.method) {
      case 'INVITE':
        return this.#invited(request, sender);
      case 'CANCEL':
        this.#calls.get(request.id)?.cancel?.('487 Request Terminated');
        return accepted();
      case 'BYE':
        this.#forget(request.id);
        return accepted();
      default:
        this.#handler.request?.(request.method, request.body);
        return accepted();
    }
  }

  async #invited(request, sender) {
    const { id } = request;
    const known = this.#calls.get(id);
    const call = known ?? {
      ...sender,
      from: request.field('from'),
      to: tagged(request.field('to')),
      route: request.all('record-route').map((value) => `Route: ${value}`),
      sequence: 0,
      revision: 0,
    };
    this.#calls.set(id, call);
    call.target = /<([^>]+)>/.exec(request.field('contact') ?? '')?.[1] ?? request.field('contact');
    call.revision += 1;
    const cancelled = new Promise((_, reject) => (call.cancel = (status) => reject(new Error(status))));
    try {
      const asked = this.#handler.answer({ id, user: request.user, offer: request.body, revision: call.revision });
      const description = await Promise.race([asked, cancelled]);
      call.established = true;
      return reply(request, '200 OK', this.uri('server'), description);
    } catch ({ message: status }) {
      if (!known) this.#forget(id);
      return reply(request, /^48[67] /.test(status) ? status : '488 Not Acceptable Here', this.uri('server'));
    } finally {
      call.cancel = undefined;
    }
  }

  #repeatUntilAcknowledged(id, answer, sender, wait = T1_MS) {
    const call = this.#calls.get(id);
    if (!call || wait > KEPT_MS / 2) return;
    clearTimeout(call.repeat);
    call.repeat = setTimeout(() => {
      this.#send(answer, sender);
      this.#repeatUntilAcknowledged(id, answer, sender, 2 * wait);
    }, wait);
    call.repeat.unref();
  }

  #forget(id) {
    const call = this.#calls.get(id);
    if (!call) return;
    clearTimeout(call.repeat);
    this.#calls.delete(id);
    this.#handler.ended(id);
  }
}

/** A request, or `undefined` for anything else. */
function parsed(text) {
  const end = text.indexOf('\r\n\r\n');
  const [line, ...lines] = (end < 0 ? text : text.slice(0, end)).split('\r\n');
  const [, method, user = ''] = /^([A-Z]+) sips?:(?:([^@;>\s]+)@)?\S+ SIP\/2\.0$/.exec(line) ?? [];
  if (!method) return undefined;
  const short = { i: 'call-id', f: 'from', t: 'to', v: 'via', m: 'contact' };
  const fields = lines.map((field) => {
    const [name, ...value] = field.split(':');
    const long = name.trim().toLowerCase();
    return [short[long] ?? long, value.join(':').trim()];
  });
  const all = (name) => fields.filter(([known]) => known === name).map(([, value]) => value);
  return { method, user, body: end < 0 ? '' : text.slice(end + 4), all, field: (name) => all(name)[0], id: all('call-id')[0] };
}

/** An answer to a request, with what has to be the same in both (RFC 3261 §8.2.6.2). */
function reply(request, status, contact, body = '') {
  const same = [['Via', request.all('via')], ['Record-Route', request.all('record-route')], ['From', request.all('from')], ['To', [tagged(request.field('to'))]], ['Call-ID', [request.id]], ['CSeq', request.all('cseq')]];
  const fields = same.flatMap(([name, values]) => values.map((value) => `${name}: ${value}`));
  const type = body ? ['Content-Type: application/sdp'] : [];
  return message([`SIP/2.0 ${status}`, ...fields, `Contact: <${contact}>`, ...type], body);
}

function message(lines, body = '') {
  return [...lines, `Content-Length: ${Buffer.byteLength(body)}`, '', body].join('\r\n');
}

/** Our side of a call has a tag (RFC 3261 §19.3). */
function tagged(to) {
  return /;\s*tag=/.test(to) ? to : `${to};tag=rivero`;
}
