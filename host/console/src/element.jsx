// The element that was chosen: what goes through it, its properties and its statistics.

import { Plot } from './plot.jsx';
import { bitrate, perSecond } from './rates.js';
import { time } from './tables.jsx';

export function Element({ details, node, history, missing }) {
  if (!details) {
    const text = missing ? 'Waiting for the server, or it has ended.' : 'Choose an element of the graph.';
    return (
      <aside class="element" aria-label="Element">
        <p role="status">{text}</p>
      </aside>
    );
  }
  const { properties, statistics, tags } = details;
  const streams = Object.values(statistics ?? {}).filter((entry) => entry !== null && typeof entry === 'object');
  return (
    <aside class="element" aria-label="Element">
      <h2>
        {details.class} {details.name}
      </h2>
      <p>
        <code class="id">{details.id}</code>
        <br />
        created {time(details.created)}
      </p>
      {node && history && <Plots history={history} hasPeer={!!node.peer} />}
      <Values title="Properties" values={properties} />
      {Object.keys(tags).length > 0 && <Values title="Tags" values={tags} />}
      {statistics?.error && <p>{statistics.error}</p>}
      {streams.map((entry, index) => (
        <details key={entry.id ?? index}>
          <summary>
            Statistics: {entry.type ?? 'entry'} {entry.ssrc ?? ''}
          </summary>
          <Values values={entry} />
        </details>
      ))}
    </aside>
  );
}

const latest = (list) => list.at(-1) ?? 0;

function Plots({ history, hasPeer }) {
  const { time, bitsIn, bitsOut, bitsReceived, bitsSent, packetsIn, packetsOut, lost } = history;
  return (
    <div class="plots">
      <Plot title="Links" text={`in ${bitrate(latest(bitsIn))}, out ${bitrate(latest(bitsOut))}`} data={[time, bitsIn, bitsOut]} show={bitrate} />
      {hasPeer && <Plot title="Peer" text={`received ${bitrate(latest(bitsReceived))}, sent ${bitrate(latest(bitsSent))}`} data={[time, bitsReceived, bitsSent]} show={bitrate} />}
      <Plot title="Packets" text={`in ${perSecond(latest(packetsIn))}, out ${perSecond(latest(packetsOut))}`} data={[time, packetsIn, packetsOut]} show={perSecond} />
      <Plot title="Lost" text={perSecond(latest(lost))} data={[time, lost]} show={perSecond} />
    </div>
  );
}

function Values({ title, values }) {
  const entries = Object.entries(values ?? {});
  if (entries.length === 0) return null;
  return (
    <table class="dense values">
      {title && <caption>{title}</caption>}
      <tbody>
        {entries.map(([name, value]) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td>
              <code>{typeof value === 'string' ? value : JSON.stringify(value)}</code>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
