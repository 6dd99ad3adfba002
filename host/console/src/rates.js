// Rates out of counters: of a pipeline's links and elements, now and in the last minutes.

/** Samples that a rate spans, two a second. */
const SPAN = 4;
/** Points of a plot. */
const POINTS = 240;

export const linkKey = ({ source, sink, kind, sourcePad, sinkPad }) => [source, sink, kind, sourcePad, sinkPad].join(' ');

export class Rates {
  #samples = [];
  links = new Map();
  /** By element: `{time: [s], bitsIn, …}`, each a list; in and out are what comes by links, received and sent what the peer has. */
  history = new Map();

  /** Takes a pipeline's graph as the server sends it. */
  take(graph) {
    const latest = this.#samples.at(-1);
    if (latest?.time === graph.time) return;
    if (latest && (latest.id !== graph.id || graph.time < latest.time)) {
      this.#samples = [];
      this.history.clear();
    }
    const sample = sampleOf(graph);
    this.#samples = [...this.#samples, sample].slice(-SPAN);
    const former = this.#samples[0];
    const seconds = (sample.time - former.time) / 1000;
    const rate = (now, then) => (seconds > 0 && then !== undefined ? Math.max(0, now - then) / seconds : 0);
    this.links = new Map(
      [...sample.links].map(([key, link]) => {
        const then = former.links.get(key);
        return [key, { bits: 8 * rate(link.bytes, then?.bytes), packets: rate(link.packets, then?.packets), lost: rate(link.lost, then?.lost) }];
      }),
    );
    // Of one sample there is no rate.
    if (seconds > 0) for (const node of graph.nodes) this.#note(graph, node, (name) => rate(node[name], former.nodes.get(node.id)?.[name]), former);
    for (const id of this.history.keys()) if (!sample.nodes.has(id)) this.history.delete(id);
  }

  #note(graph, node, rateOf, former) {
    const sum = (end, what) =>
      graph.links.filter((link) => link[end] === node.id).reduce((sum, link) => sum + (this.links.get(linkKey(link))?.[what] ?? 0), 0);
    const then = former.nodes.get(node.id)?.peer;
    // Statistics are made less often than the graph: their rates are of the time between two of them.
    const passed = node.peer && then ? (node.peer.time - then.time) / 1000 : 0;
    const ofPeer = (name) => (passed > 0 ? Math.max(0, (node.peer[name] ?? 0) - (then[name] ?? 0)) / passed : 0);
    const point = {
      time: graph.time / 1000,
      bitsIn: sum('sink', 'bits'),
      bitsOut: sum('source', 'bits'),
      packetsIn: rateOf('packetsIn'),
      packetsOut: rateOf('packetsOut'),
      bitsReceived: 8 * ofPeer('bytesReceived'),
      bitsSent: 8 * ofPeer('bytesSent'),
      lost: ofPeer('lostReceived') + ofPeer('lostSent') + sum('sink', 'lost'),
    };
    const known = this.history.get(node.id) ?? Object.fromEntries(Object.keys(point).map((name) => [name, []]));
    this.history.set(node.id, Object.fromEntries(Object.entries(point).map(([name, value]) => [name, [...known[name], value].slice(-POINTS)])));
  }
}

function sampleOf({ id, time, nodes, links }) {
  return { id, time, nodes: new Map(nodes.map((node) => [node.id, node])), links: new Map(links.map((link) => [linkKey(link), link])) };
}

/** `1.2 Mbit/s` */
export function bitrate(bits) {
  if (bits >= 999_500) return `${(bits / 1e6).toFixed(bits >= 9_950_000 ? 0 : 1)} Mbit/s`;
  return `${Math.round(bits / 1000)} kbit/s`;
}

/** `12 /s` */
export const perSecond = (rate) => `${rate > 0 && rate < 9.95 ? rate.toFixed(1) : Math.round(rate)} /s`;

/** Bytes in MB. */
export const megabytes = (bytes) => `${(bytes / 1e6).toFixed(bytes < 1e8 ? 1 : 0)} MB`;
