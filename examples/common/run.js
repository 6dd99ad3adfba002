// What the buttons of a page start and stop: one run at a time, from a click to another one, or until it fails.

import { Cleanup } from './cleanup.js';
import { showError, showState } from './page.js';

export class Run {
  #cleanup = null;
  #changed;

  /** `changed(isRunning)` is called when a run has begun or ended, for the page's buttons. */
  constructor(changed) {
    this.#changed = changed;
    addEventListener('pagehide', () => this.isRunning && this.stop());
  }

  get isRunning() {
    return this.#cleanup !== null;
  }

  /**
   * Takes `steps(cleanup, fail)`: each adds to `cleanup` how it is undone, and looks at `cleanup.over` after it has
   * waited. What they throw ends the run, as does `fail(error)`, which may be called later and for as long as one likes.
   */
  async start(steps) {
    const cleanup = new Cleanup();
    // Once it was stopped whatever fails is of no interest any more, nor is it a failure of the next run.
    const fail = (error) => !cleanup.over && this.fail(error);
    this.#cleanup = cleanup;
    this.#changed(true);
    try {
      await steps(cleanup, fail);
    } catch (error) {
      fail(error);
    }
  }

  /** Ends the run, and shows why. */
  fail = (error) => {
    if (!this.isRunning) return;
    this.stop();
    showError(error);
  };

  /** Ends the run; `text` is shown. */
  stop = (text = 'Stopped') => {
    this.#cleanup?.run();
    this.#cleanup = null;
    this.#changed(false);
    showState('idle', text);
  };
}

/** A run of `steps` between the buttons `#start` and `#stop`; `changed` as for any run. */
export function offerRun(steps, changed = () => {}) {
  const startButton = document.querySelector('#start');
  const stopButton = document.querySelector('#stop');
  const run = new Run((isRunning) => {
    startButton.disabled = isRunning;
    stopButton.disabled = !isRunning;
    changed(isRunning);
  });
  startButton.addEventListener('click', () => run.start(steps));
  stopButton.addEventListener('click', () => run.stop());
  return run;
}
