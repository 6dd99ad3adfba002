// A worker that finds places for the boxes and arrows of a graph: with hundreds of elements that
// takes longer than the page may be without an answer to its user.

import * as dagre from '@dagrejs/dagre';

const { graphlib, layout } = dagre.default ?? dagre;

onmessage = ({ data: { number, nodes, edges } }) => {
  const graph = new graphlib.Graph({ multigraph: true });
  graph.setGraph({ rankdir: 'LR', nodesep: 28, ranksep: 34, marginx: 12, marginy: 12 });
  for (const { id, width, height } of nodes) graph.setNode(id, { width, height });
  for (const { key, from, to, width, height } of edges) {
    graph.setEdge(from, to, { width, height, labelpos: 'c' }, key);
  }
  layout(graph);
  const { width, height } = graph.graph();
  const boxes = nodes.map(({ id }) => [id, graph.node(id)]).map(([id, { x, y }]) => [id, { x, y }]);
  const arrows = edges.map(({ key, from, to }) => {
    const { points, x, y } = graph.edge(from, to, key);
    return [key, { points: points.map(({ x, y }) => ({ x, y })), x, y }];
  });
  postMessage({ number, width, height, boxes, arrows });
};
