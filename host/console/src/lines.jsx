// What happens: events of objects, and lines of the log.

import { useState } from 'preact/hooks';

import { shortId } from './diagram.js';

/** Rows shown; what is kept beyond them can be found with the filter. */
const ROWS = 100;
const LEVELS = ['ERROR', 'WARN', 'INFO', 'DEBUG', 'TRACE'];

/** What is shown while it is held: `[items, held, hold]`. */
function useHold(items) {
  const [held, setHeld] = useState();
  return [held ?? items, held !== undefined, () => setHeld(held ? undefined : items)];
}

function Tools({ filter, setFilter, held, hold, children }) {
  return (
    <div class="tools">
      <label>
        Filter <input type="search" value={filter} onInput={(event) => setFilter(event.currentTarget.value)} />
      </label>
      {children}
      <button aria-pressed={held} onClick={hold}>
        Hold
      </button>
    </div>
  );
}

const clock = (time) => {
  const date = new Date(time);
  return `${date.toLocaleTimeString()}.${String(date.getMilliseconds()).padStart(3, '0')}`;
};

const fits = (text, filter) => text.toLowerCase().includes(filter.trim().toLowerCase());

function Lost({ count, what }) {
  return count > 0 ? <p>{`${count} ${what} came too fast to be shown.`}</p> : null;
}

export function EventTable({ events, caption }) {
  return (
    <table class="dense">
      <caption class={caption ? '' : 'hidden'}>{caption || 'Events, the latest first'}</caption>
      <thead>
        <tr>
          <th scope="col">Time</th>
          <th scope="col">Event</th>
          <th scope="col">Object</th>
          <th scope="col">Data</th>
        </tr>
      </thead>
      <tbody>
        {events.map(({ number, time, event, object, class: name, pipeline, data }) => (
          <tr key={number}>
            <td>
              <time dateTime={new Date(time).toISOString()}>{clock(time)}</time>
            </td>
            <td>{event}</td>
            <td>{pipeline ? <a href={`#/pipelines/${encodeURIComponent(pipeline)}/${encodeURIComponent(object)}`}>{`${name} ${shortId(object)}`}</a> : name}</td>
            <td>
              <code>{data === null ? '(too much to show)' : JSON.stringify(data)}</code>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

export function Events({ feed }) {
  const [filter, setFilter] = useState('');
  const [events, held, hold] = useHold(feed.events);
  const found = events.filter((one) => fits(`${one.event} ${one.object} ${one.class} ${JSON.stringify(one.data)}`, filter));
  return (
    <section aria-label="Events">
      <h1>Events</h1>
      <Tools {...{ filter, setFilter, held, hold }} />
      <Lost count={feed.lost.events} what="events" />
      {found.length ? <EventTable events={found.slice(-ROWS).reverse()} /> : <p class="empty">Events of all objects are listed here as they happen, from now on.</p>}
    </section>
  );
}

export function Log({ feed }) {
  const [filter, setFilter] = useState('');
  const [level, setLevel] = useState('TRACE');
  const [lines, held, hold] = useHold(feed.lines);
  const most = LEVELS.indexOf(level);
  const found = lines.filter((line) => LEVELS.indexOf(line.level) <= most && fits(`${line.target} ${line.message} ${JSON.stringify(line.fields ?? '')}`, filter));
  return (
    <section aria-label="Log">
      <h1>Log</h1>
      <Tools {...{ filter, setFilter, held, hold }}>
        <label>
          Level{' '}
          <select value={level} onChange={(event) => setLevel(event.currentTarget.value)}>
            {LEVELS.map((name) => (
              <option key={name} value={name}>
                {name.toLowerCase()}
                {name !== 'ERROR' && ' and above'}
              </option>
            ))}
          </select>
        </label>
      </Tools>
      <Lost count={feed.lost.log} what="lines" />
      {found.length ? (
        <table class="dense log">
          <caption class="hidden">Lines of the log, the latest first</caption>
          <thead>
            <tr>
              <th scope="col">Time</th>
              <th scope="col">Level</th>
              <th scope="col">Of</th>
              <th scope="col">Message</th>
            </tr>
          </thead>
          <tbody>{found.slice(-ROWS).reverse().map(line)}</tbody>
        </table>
      ) : (
        <p class="empty">No line fits.</p>
      )}
    </section>
  );
}

function line({ number, timestamp, level, target, message, fields = {} }) {
  const { module, at, ...others } = fields;
  const rest = Object.entries(others).map(([name, value]) => `${name}=${value}`);
  return (
    <tr key={number}>
      <td>
        <time dateTime={timestamp}>{clock(timestamp)}</time>
      </td>
      <td>
        <span class={`level ${level}`}>{level.toLowerCase()}</span>
      </td>
      <td>{module ? `${module} ${at ?? ''}` : target}</td>
      <td>
        <code>{[message, ...rest].join(' ')}</code>
      </td>
    </tr>
  );
}
