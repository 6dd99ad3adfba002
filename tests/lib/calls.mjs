// Calls between the peers of a probe page and WebRtcEndpoints: offer, answer and
// candidates trickling both ways, as an application server would do it.

import { iceCandidate, invoke } from './client.mjs';

export class Calls {
  #page;
  #endpoints = new Map();

  /** For one probe page; call it once per page. */
  static async on(page) {
    const calls = new Calls();
    calls.#page = page;
    await page.exposeFunction('onCandidate', (name, candidate) => {
      // Null says that the browser has no more; Kurento's API has no word for it.
      if (candidate) calls.#endpoints.get(name)?.addIceCandidate(iceCandidate(candidate));
    });
    return calls;
  }

  /**
   * Makes the peer `name` in the page and negotiates it with `endpoint`; the
   * options are those of `offer` in tests/pages/peer.js, and `signalled`, which
   * changes the SDP on the way. Resolves to both SDPs
   * when the answer has been accepted and gathering has begun.
   */
  async open(name, endpoint, { signalled = (sdp) => sdp, ...options } = {}) {
    this.#attach(name, endpoint);
    const offer = await this.#page.evaluate(([peer, settings]) => probe.offer(peer, settings), [name, options]);
    const answer = await this.#give(name, endpoint, signalled(offer));
    await invoke(endpoint, 'gatherCandidates');
    return { offer, answer };
  }

  /**
   * The other way round: `endpoint` makes the offer, the peer `name` answers. The
   * options are those of `answer` in tests/pages/peer.js.
   */
  async openOffered(name, endpoint, { signalled = (sdp) => sdp, ...options } = {}) {
    this.#attach(name, endpoint);
    const offer = signalled(await invoke(endpoint, 'generateOffer'));
    const answer = await this.#page.evaluate(([peer, sdp, settings]) => probe.answer(peer, sdp, settings), [name, offer, options]);
    await invoke(endpoint, 'processAnswer', answer);
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
    endpoint.on('IceCandidateFound', ({ candidate }) => this.#addCandidate(name, candidate));
  }

  async #give(name, endpoint, offer) {
    const answer = await invoke(endpoint, 'processOffer', offer);
    await this.#page.evaluate(([peer, sdp]) => probe.acceptAnswer(peer, sdp), [name, answer]);
    return answer;
  }

  /** Closes the browser's side only, as a page that goes away does. */
  async close(name) {
    this.#endpoints.delete(name);
    await this.#page.evaluate((peer) => probe.closePeer(peer), name);
  }

  async #addCandidate(name, { candidate, sdpMid, sdpMLineIndex }) {
    if (!this.#endpoints.has(name)) return; // closed since
    await this.#page.evaluate(
      ([peer, found]) => probe.addCandidate(peer, found),
      [name, { candidate, sdpMid, sdpMLineIndex }],
    );
  }
}
