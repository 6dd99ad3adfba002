// What is drawn of a pipeline: boxes for elements and conversions, arrows for the links between them.

import { bitrate, linkKey, perSecond } from './rates.js';

const LETTER = 7;
const LINE = 16;

/** `H264/90000;profile=…` without clock and parameters. */
export const shortFormat = (format) => format.replace(/[/;].*$/, '');

/** The hops of a link at which the format is another one; elsewhere it is only packed otherwise. */
export const conversions = ({ hops }) => hops.filter(({ format }, index) => index > 0 && media(format) !== media(hops[index - 1].format));

/** A format without its packaging: `(Rtp)`, `(Frame)` or `(Raw)`. */
const media = (format) => format.replace(/ \(\w+\)$/, '');

/** The end of an id, which tells objects of a class apart. */
export const shortId = (id) => id.split('/').at(-1).replace(/_.*$/, '').slice(0, 8);

/**
 * `{nodes: [{id, kind, title, …}], edges: [{key, from, to, lines, flowing, converted}]}`; links between the
 * same two boxes share an arrow.
 */
export function diagram(graph, rates) {
  const nodes = graph.nodes.map((node) => ({
    id: node.id,
    kind: 'element',
    title: node.class,
    subtitle: node.name || shortId(node.id),
    converting: node.converting.length > 0,
    ...sized(node.class, node.name || shortId(node.id)),
  }));
  const known = new Map(nodes.map((node) => [node.id, node]));
  const edges = new Map();
  const draw = (from, to, line, flags) => {
    if (!known.has(from) || !known.has(to)) return;
    const key = `${from}→${to}`;
    const edge = edges.get(key) ?? { key, from, to, lines: [], flowing: false, converted: false, bond: false };
    if (line && !edge.lines.includes(line)) edge.lines.push(line);
    edges.set(key, { ...edge, flowing: edge.flowing || !!flags.flowing, converted: edge.converted || !!flags.converted, bond: !!flags.bond });
  };
  for (const link of graph.links) {
    const rate = rates.links.get(linkKey(link));
    const steps = conversions(link);
    const flags = { flowing: link.flowing, converted: steps.length > 0 };
    let from = link.source;
    steps.forEach(({ pad, format }, index) => {
      const id = `conversion ${pad}`;
      if (!known.has(id)) {
        const title = `→ ${shortFormat(format)}`;
        const node = { id, kind: 'conversion', title, width: LETTER * title.length + 20, height: 30 };
        known.set(id, node);
        nodes.push(node);
      }
      // Between conversions, the former one says what it makes.
      draw(from, id, index === 0 ? `${link.kind.toLowerCase()} ${shortFormat(link.hops[0].format)}` : '', flags);
      from = id;
    });
    draw(from, link.sink, label(link, rate), flags);
  }
  for (const { id, parent } of graph.nodes) if (parent) draw(parent, id, '', { bond: true });
  return { nodes, edges: [...edges.values()].map((edge) => ({ ...edge, ...labelSize(edge) })) };
}

function label(link, rate) {
  const format = link.hops.at(-1)?.format;
  const kind = link.kind.toLowerCase();
  // Everything that is connected has a link for data, and hardly anything sends some.
  if (link.kind === 'DATA' && !link.flowing) return '';
  if (!format) return `${kind} (waiting)`;
  const lost = rate?.lost > 0 ? `, lost ${perSecond(rate.lost)}` : '';
  return `${kind} ${shortFormat(format)}${link.flowing && rate ? ` ${bitrate(rate.bits)}` : ''}${lost}`;
}

function sized(title, subtitle) {
  return { width: Math.max(120, LETTER * Math.max(title.length + 2, subtitle.length) + 28), height: 54 };
}

/** Room for figures that grow, so that the picture does not move with each of them. */
function labelSize({ lines }) {
  if (lines.length === 0) return { width: 1, height: 1 };
  const longest = Math.max(...lines.map((line) => line.replace(/[\d.]+ [kM]bit\/s.*/, '0000 kbit/s').length));
  return { width: LETTER * longest + 12, height: LINE * lines.length + 6 };
}

/** The same for graphs that need no new layout. */
export const structure = ({ nodes, edges }) =>
  JSON.stringify([nodes.map(({ id, width }) => [id, width]), edges.map(({ key, lines, width }) => [key, lines.length, width])]);
