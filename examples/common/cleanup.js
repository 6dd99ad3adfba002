/**
 * What a running call has to undo when it stops, latest first. Whatever is added
 * after the stop, by steps that were still under way, is undone at once.
 */
export class Cleanup {
  #steps = [];
  #over = false;

  add(undo) {
    if (this.#over) undo();
    else this.#steps.push(undo);
  }

  /** True once the call has been stopped. */
  get over() {
    return this.#over;
  }

  run() {
    this.#over = true;
    while (this.#steps.length > 0) this.#steps.pop()();
  }
}
