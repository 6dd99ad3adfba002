// Calls between the peers of a probe page and WebRtcEndpoints: offer, answer and
// candidates trickling both ways, as an application server would do it.

import { iceCandidate, invoke } from './client.mjs';
import { withoutCandidates } from './relay.mjs';

export class Calls {
  #page;
  #endpoints = new Map();
  #paths = new Map();
  #allowed = new Map();
  /** Answers under way, by peer: candidates that overtake them wait, as kurento-utils lets them. */
  #answers = new Map();

  /** For one probe page; call it once per page. */
  static async on(page) {
    const calls = new Calls();
    calls.#page = page;
    await page.exposeFunction('onCandidate', (name, candidate) => {
      // Null says that the browser has no more; Kurento's API has no word for it.
      // Through a relay the server learns the browser's address from its checks alone.
      if (candidate && !calls.#paths.has(name) && calls.#passes(name, candidate.candidate)) {
        // A page may go on finding candidates when the test has ended and its server with it.
        calls.#endpoints.get(name)?.addIceCandidate(iceCandidate(candidate), () => {});
      }
    });
    return calls;
  }

  /**
   * Makes the peer `name` in the page and negotiates it with `endpoint`; the
   * options are those of `offer` in tests/pages/peer.js, `signalled`, which
   * changes the SDP on the way, `allows`, a function of a candidate's text that
   * says whether it is passed on, and `path` (see relay.mjs), by which all media
   * goes. Resolves to both SDPs when the answer has been accepted and gathering
   * has begun.
   */
  async open(name, endpoint, { signalled = (sdp) => sdp, allows, path, ...options } = {}) {
    if (allows) this.#allowed.set(name, allows);
    this.#attach(name, endpoint);
    if (path) this.#paths.set(name, path);
    const offer = await this.#page.evaluate(([peer, settings]) => probe.offer(peer, settings), [name, options]);
    const answer = await this.#give(name, endpoint, signalled(path ? withoutCandidates(offer) : offer));
    await invoke(endpoint, 'gatherCandidates');
    return { offer, answer };
  }

  /**
   * The other way round: `endpoint` makes the offer, the peer `name` answers. The
   * options are those of `answer` in tests/pages/peer.js, `signalled`, `allows` and `path`.
   */
  async openOffered(name, endpoint, { signalled = (sdp) => sdp, allows, path, ...options } = {}) {
    if (allows) this.#allowed.set(name, allows);
    this.#attach(name, endpoint);
    if (path) this.#paths.set(name, path);
    const offer = signalled(await invoke(endpoint, 'generateOffer'));
    const answer = await this.#page.evaluate(([peer, sdp, settings]) => probe.answer(peer, sdp, settings), [name, offer, options]);
    await invoke(endpoint, 'processAnswer', path ? withoutCandidates(answer) : answer);
    await invoke(endpoint, 'gatherCandidates');
    return { offer, answer };
  }

  /** Negotiates a change of the peer `name`; see `offerAgain` in tests/pages/peer.js. */
  async change(name, changes) {
    const endpoint = this.#endpoints.get(name);
    const offer = await this.#page.evaluate(([peer, settings]) => probe.offerAgain(peer, settings), [name, changes]);
    return { offer, answer: await this.#give(name, endpoint, offer) };
  }

  /** Lets the endpoint of the peer `name` make the next offer. */
  async changeOffered(name, options) {
    const endpoint = this.#endpoints.get(name);
    const offer = await invoke(endpoint, 'generateOffer');
    const answer = await this.#page.evaluate(([peer, sdp, settings]) => probe.answerAgain(peer, sdp, settings), [name, offer, options]);
    await invoke(endpoint, 'processAnswer', answer);
    return { offer, answer };
  }

  #attach(name, endpoint) {
    this.#endpoints.set(name, endpoint);
    endpoint.on('IceCandidateFound', ({ candidate }) => this.#addCandidate(name, candidate).catch(unlessClosed));
  }

  async #give(name, endpoint, offer) {
    let resolve;
    const promise = new Promise((settle) => (resolve = settle));
    this.#answers.set(name, promise);
    try {
      const answer = await invoke(endpoint, 'processOffer', offer);
      await this.#page.evaluate(([peer, sdp]) => probe.acceptAnswer(peer, sdp), [name, answer]);
      return answer;
    } finally {
      resolve();
    }
  }

  #passes(name, candidate) {
    return this.#allowed.get(name)?.(candidate) ?? true;
  }

  /** Closes the browser's side only, as a page that goes away does. */
  async close(name) {
    this.#endpoints.delete(name);
    this.#paths.delete(name);
    await this.#page.evaluate((peer) => probe.closePeer(peer), name);
  }

  async #addCandidate(name, { candidate, sdpMid, sdpMLineIndex }) {
    if (!this.#endpoints.has(name)) return; // closed since
    if (!this.#passes(name, candidate)) return;
    const found = { candidate, sdpMid, sdpMLineIndex };
    const path = this.#paths.get(name);
    const reached = path ? await path.candidate(found) : found;
    await this.#answers.get(name);
    if (reached) await this.#page.evaluate(([peer, way]) => probe.addCandidate(peer, way), [name, reached]);
  }
}

/** A server may go on finding candidates when the test has ended and its page with it. */
function unlessClosed(error) {
  if (!/closed/i.test(error.message)) throw error;
}
