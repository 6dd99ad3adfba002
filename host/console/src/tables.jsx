// Lists of pipelines and sessions, a page at a time: with thousands of rows no reader, of the eye or
// of a screen reader, would find anything.

import { useState } from 'preact/hooks';

const ROWS = 25;

/** A filter, a table of the rows that it lets through, and ways to further ones. */
export function Listing({ title, note, rows, columns, keyOf, textOf, empty }) {
  const [filter, setFilter] = useState('');
  const [page, setPage] = useState(0);
  const wanted = filter.trim().toLowerCase();
  const found = wanted ? rows.filter((row) => textOf(row).toLowerCase().includes(wanted)) : rows;
  const pages = Math.max(1, Math.ceil(found.length / ROWS));
  const current = Math.min(page, pages - 1);
  const shown = found.slice(current * ROWS, (current + 1) * ROWS);
  const choose = (event) => {
    setFilter(event.currentTarget.value);
    setPage(0);
  };
  return (
    <section aria-label={title}>
      <h1>{title}</h1>
      {note}
      <div class="tools">
        <label>
          Filter <input type="search" value={filter} onInput={choose} />
        </label>
        <p role="status">
          {found.length === rows.length ? rows.length : `${found.length} of ${rows.length}`} shown{pages > 1 && `, page ${current + 1} of ${pages}`}
        </p>
        {pages > 1 && (
          <div class="pages">
            <button disabled={current === 0} onClick={() => setPage(current - 1)}>
              Previous
            </button>
            <button disabled={current === pages - 1} onClick={() => setPage(current + 1)}>
              Next
            </button>
          </div>
        )}
      </div>
      {shown.length === 0 ? (
        <p class="empty">{empty}</p>
      ) : (
        <table>
          <thead>
            <tr>
              {columns.map(({ name }) => (
                <th key={name} scope="col">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {shown.map((row) => (
              <tr key={keyOf(row)}>
                {columns.map(({ name, show }) => (
                  <td key={name}>{show(row)}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

export const time = (seconds) => new Date(1000 * seconds).toLocaleTimeString();

const state = ({ flowing, converting }) => (
  <>
    <span class={flowing ? 'badge flowing' : 'badge'}>{flowing ? 'media flows' : 'idle'}</span>
    {converting && <span class="badge converting">converts</span>}
  </>
);

const PIPELINE = [
  { name: 'Pipeline', show: ({ id, name }) => <a href={`#/pipelines/${encodeURIComponent(id)}`}>{name || id}</a> },
  { name: 'Elements', show: ({ elements }) => elements },
  { name: 'State', show: state },
  { name: 'Created', show: ({ created }) => time(created) },
];

/** The server shows so many at most. */
function More({ feed, what }) {
  const server = feed.entries.get('server');
  if (!server || server[what] <= server.shown) return null;
  return (
    <p>
      There are {server[what]}; the first {server.shown} are listed.
    </p>
  );
}

export function Pipelines({ feed }) {
  const rows = feed.all('pipeline').sort((a, b) => b.created - a.created || (a.id < b.id ? -1 : 1));
  return (
    <Listing
      title="Pipelines"
      note={<More feed={feed} what="pipelines" />}
      rows={rows}
      columns={PIPELINE}
      keyOf={({ id }) => id}
      textOf={({ id, name, converting, flowing }) => `${id} ${name}${converting ? ' converts' : ''}${flowing ? ' media flows' : ' idle'}`}
      empty={rows.length ? 'No pipeline fits the filter.' : 'There is no pipeline. As soon as a client creates one, it is listed here.'}
    />
  );
}

const SESSION = [
  { name: 'Session', show: ({ id }) => <code>{id}</code> },
  { name: 'Connection', show: ({ connected }) => <span class={connected ? 'badge flowing' : 'badge'}>{connected ? 'connected' : 'away'}</span> },
  { name: 'Objects and subscriptions', show: ({ objects }) => objects },
];

export function Sessions({ feed }) {
  const rows = feed.all('session').sort((a, b) => (a.id < b.id ? -1 : 1));
  return (
    <Listing
      title="Sessions"
      note={<More feed={feed} what="sessions" />}
      rows={rows}
      columns={SESSION}
      keyOf={({ id }) => id}
      textOf={({ id, connected }) => `${id} ${connected ? 'connected' : 'away'}`}
      empty={rows.length ? 'No session fits the filter.' : 'No client holds an object.'}
    />
  );
}
