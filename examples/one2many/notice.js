// The pages' side of board.mjs: who presents.

const BOARD = '/one2many/presenter';

/** Id of the presenter's endpoint, or null when nobody presents. */
export async function presenter() {
  const notice = await (await fetch(BOARD)).json();
  return notice?.endpoint ?? null;
}

/** Puts up or renews the notice; rejects when somebody else presents. */
export async function announce(endpoint) {
  const response = await fetch(BOARD, { method: 'PUT', body: JSON.stringify({ endpoint }) });
  if (response.status === 409) throw new Error('Somebody else is presenting. Choose Watch instead.');
  if (!response.ok) throw new Error(`The example's web server answered ${response.status}.`);
}

/** Takes the notice down, also while the page is being closed. */
export function withdraw(endpoint) {
  fetch(`${BOARD}?endpoint=${encodeURIComponent(endpoint)}`, { method: 'DELETE', keepalive: true }).catch(() => {});
}
