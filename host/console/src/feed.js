// The server's stream of what there is and what changes, as a table of entries by key.

/** Events and lines of the log that the page keeps. */
const KEPT = 500;
const LONGEST_PAUSE_MS = 10_000;

export class Feed {
  #onChange;
  #abort;
  #wants = {};

  /** `connecting`, `open`, `closed` (tries again), or `locked`: the password that the browser asked for counts no more. */
  status = 'connecting';
  trouble = '';
  hello = { mayWrite: false };
  entries = new Map();
  events = [];
  lines = [];
  /** Of events and lines, how many came too fast. */
  lost = { events: 0, log: 0 };

  constructor(onChange) {
    this.#onChange = onChange;
  }

  /** Looks at a pipeline and an object from now on; undefined for none. */
  want(pipeline, object) {
    if (this.#abort && this.#wants.pipeline === pipeline && this.#wants.object === object) return;
    this.#wants = { pipeline, object };
    this.restart();
  }

  restart() {
    this.#abort?.abort();
    this.#abort = new AbortController();
    this.#run(this.#abort.signal);
  }

  /** Entries whose keys begin with `kind/`. */
  all(kind) {
    const prefix = `${kind}/`;
    return [...this.entries].filter(([key]) => key.startsWith(prefix)).map(([, value]) => value);
  }

  /** Asks for a change; resolves to an error's text, or undefined. */
  async setLevel(name, level) {
    const query = new URLSearchParams(level ? { name, level } : { name });
    const answer = await fetch(`api/level?${query}`, { method: 'POST' });
    return answer.ok ? undefined : (await answer.text()).trim();
  }

  async #run(signal) {
    let pause = 500;
    while (!signal.aborted) {
      try {
        const answer = await fetch(`api?${this.#query()}`, { signal, cache: 'no-store' });
        if (answer.status === 401 || answer.status === 403) {
          return this.#is('locked', (await answer.text()).trim());
        }
        if (!answer.ok) throw new Error((await answer.text()).trim());
        pause = 500;
        this.#is('open');
        await this.#read(answer.body.getReader());
        this.#is('closed', 'The server ended the connection.');
      } catch (error) {
        if (signal.aborted) return;
        this.#is('closed', error.message);
      }
      await new Promise((resolve) => setTimeout(resolve, pause));
      pause = Math.min(2 * pause, LONGEST_PAUSE_MS);
    }
  }

  #query() {
    const wanted = Object.entries(this.#wants).filter(([, id]) => id !== undefined);
    // Not URLSearchParams: its `+` for a space is for forms.
    return wanted.map(([name, id]) => `${name}=${encodeURIComponent(id)}`).join('&');
  }

  #is(status, trouble = '') {
    this.status = status;
    this.trouble = trouble;
    this.#onChange();
  }

  async #read(reader) {
    const decoder = new TextDecoder();
    let text = '';
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      text += decoder.decode(value, { stream: true });
      const end = text.lastIndexOf('\n\n');
      if (end < 0) continue;
      for (const message of text.slice(0, end).split('\n\n')) this.#take(message);
      text = text.slice(end + 2);
      this.#onChange();
    }
  }

  #take(message) {
    const found = /^event: (\w+)\ndata: (.*)$/.exec(message);
    if (!found) return;
    const [, name, data] = found;
    const value = JSON.parse(data);
    if (name === 'hello') this.hello = value;
    if (name === 'state') this.#change(value);
    if (name === 'events') this.events = this.#append(this.events, value, 'events');
    if (name === 'log') this.lines = this.#append(this.lines, value, 'log');
  }

  #change({ full, changed, removed }) {
    if (full) this.entries.clear();
    for (const key of removed) this.entries.delete(key);
    for (const [key, value] of Object.entries(changed)) this.entries.set(key, value);
  }

  #append(known, { items, lost }, what) {
    this.lost[what] += lost;
    const last = known.at(-1)?.number ?? -1;
    // After a new start of the server, numbers begin anew.
    const fresh = items.at(-1)?.number < last ? items : items.filter(({ number }) => number > last);
    return [...known, ...fresh].slice(-KEPT);
  }
}
