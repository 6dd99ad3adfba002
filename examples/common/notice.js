// The pages' side of board.mjs: which object of the server somebody shares.

const RENEWAL_MS = 2000;

/** A board at `path`; `taken` is said to whoever finds the notice of somebody else there. */
export const board = (path, taken) => ({
  /** Id of the object that is shared, or null. */
  async current() {
    const notice = await (await fetch(path)).json();
    return notice?.object ?? null;
  },

  /** Rejects where a notice is up. */
  async check() {
    if (await this.current()) throw new Error(taken);
  },

  /** Puts up a notice and keeps it there until `cleanup` runs, also while the page is being closed; rejects when another one is up. */
  async announce(object, cleanup, fail) {
    const put = async () => {
      const response = await fetch(path, { method: 'PUT', body: JSON.stringify({ object }) });
      if (response.status === 409) throw new Error(taken);
      if (!response.ok) throw new Error(`The example's web server answered ${response.status}.`);
    };
    cleanup.add(() => {
      fetch(`${path}?object=${encodeURIComponent(object)}`, { method: 'DELETE', keepalive: true }).catch(() => {});
    });
    await put();
    const timer = setInterval(() => put().catch(fail), RENEWAL_MS);
    cleanup.add(() => clearInterval(timer));
  },
});
