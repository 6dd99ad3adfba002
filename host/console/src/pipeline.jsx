// One pipeline: its graph as a picture and as a table, and the element that was chosen there.

import { conversions, diagram, shortFormat, shortId } from './diagram.js';
import { Element } from './element.jsx';
import { Graph } from './graph.jsx';
import { EventTable } from './lines.jsx';
import { bitrate, linkKey, perSecond } from './rates.js';

/** Events of the pipeline that are shown beside it. */
const EVENTS = 20;

const path = (...parts) => `#/pipelines/${parts.map(encodeURIComponent).join('/')}`;

export function Pipeline({ id, object, feed, graph, rates }) {
  const back = (
    <p>
      <a href="#/pipelines">All pipelines</a>
    </p>
  );
  if (!graph) {
    const known = feed.entries.has(`pipeline/${id}`);
    return (
      <section aria-label="Pipeline">
        {back}
        <h1>Pipeline</h1>
        <p role="status">{known || feed.entries.size === 0 ? 'Waiting for the server …' : 'This pipeline has ended.'}</p>
      </section>
    );
  }
  const choose = (element) => (location.hash = path(id, element));
  const details = feed.entries.get(`object/${object ?? id}`);
  const events = feed.events.filter((event) => event.pipeline === id).slice(-EVENTS);
  return (
    <section aria-label="Pipeline">
      {back}
      <h1>{graph.name || `Pipeline ${shortId(id)}`}</h1>
      {graph.total > graph.nodes.length && (
        <p>
          It has {graph.total} elements; the first {graph.nodes.length} are drawn.
        </p>
      )}
      <Graph diagram={diagram(graph, rates)} chosen={object} choose={choose} />
      <div class="work">
        <div class="links">
          <Links graph={graph} rates={rates} id={id} />
          {events.length > 0 && <EventTable events={events.reverse()} caption="Latest events of this pipeline" />}
        </div>
        <Element details={details} node={graph.nodes.find((node) => node.id === object)} history={rates.history.get(object)} missing={object && !details} />
      </div>
    </section>
  );
}

function Links({ graph, rates, id }) {
  const nodes = new Map(graph.nodes.map((node) => [node.id, node]));
  const end = (object) => {
    const node = nodes.get(object);
    return <a href={path(id, object)}>{node ? `${node.class} ${node.name || shortId(object)}` : shortId(object)}</a>;
  };
  if (graph.links.length === 0) return <p class="empty">Nothing is connected.</p>;
  return (
    <table class="dense">
      <caption>Links</caption>
      <thead>
        <tr>
          {['From', 'To', 'Media', 'Format', 'Bitrate', 'Packets', 'Lost'].map((name) => (
            <th key={name} scope="col">
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {graph.links.map((link) => {
          const rate = rates.links.get(linkKey(link)) ?? { bits: 0, packets: 0 };
          const steps = conversions(link);
          const formats = [...link.hops.slice(0, 1), ...steps].map(({ format }) => shortFormat(format));
          return (
            <tr key={linkKey(link)}>
              <td>{end(link.source)}</td>
              <td>{end(link.sink)}</td>
              <td>
                {link.kind.toLowerCase()}
                {(link.sourcePad !== 'default' || link.sinkPad !== 'default') && ` ${link.sourcePad} → ${link.sinkPad}`}
              </td>
              <td title={link.hops.map(({ format }) => format).join(' → ')}>
                {formats.join(' → ') || 'waiting'} {steps.length > 0 && <span class="badge converting">converted</span>}
              </td>
              <td class="number">{link.flowing ? bitrate(rate.bits) : '–'}</td>
              <td class="number">{link.flowing ? perSecond(rate.packets) : '–'}</td>
              <td class="number">{link.lost}</td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}
