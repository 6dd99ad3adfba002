// The picture of a pipeline. A worker finds the places; what moves is drawn by the style sheet.

import { useEffect, useRef, useState } from 'preact/hooks';

import { structure } from './diagram.js';

const trusted = globalThis.trustedTypes?.createPolicy('console', { createScriptURL: (url) => url });

/** The latest layout of a diagram; the former one until it is made. */
function useLayout(drawn) {
  const [layout, setLayout] = useState();
  const worker = useRef();
  const number = useRef(0);
  const shape = structure(drawn);
  useEffect(() => {
    const address = new URL('layout.js', import.meta.url).href;
    worker.current = new Worker(trusted ? trusted.createScriptURL(address) : address, { type: 'module' });
    worker.current.onmessage = ({ data }) => {
      if (data.number !== number.current) return;
      setLayout({ ...data, boxes: new Map(data.boxes), arrows: new Map(data.arrows) });
    };
    return () => worker.current.terminate();
  }, []);
  useEffect(() => {
    number.current += 1;
    worker.current.postMessage({ number: number.current, nodes: drawn.nodes, edges: drawn.edges });
  }, [shape]);
  return layout;
}

/** A wide graph is drawn smaller, as long as it can be read; then it is scrolled. */
const LEAST_SCALE = 0.7;

export function Graph({ diagram, chosen, choose }) {
  const layout = useLayout(diagram);
  if (!layout) return <p role="status">Drawing …</p>;
  const { width, height, boxes, arrows } = layout;
  const nodes = diagram.nodes.filter(({ id }) => boxes.has(id));
  const edges = diagram.edges.filter(({ key }) => arrows.has(key));
  if (nodes.length === 0) return <p class="empty">The pipeline has no elements.</p>;
  return (
    <div class="canvas" role="region" aria-label="Graph of the pipeline" tabIndex={0}>
      <svg width={width} style={{ minWidth: `${Math.round(LEAST_SCALE * width)}px` }} viewBox={`0 0 ${width} ${height}`} role="group" aria-label={`${nodes.length} boxes, ${edges.length} arrows`}>
        <defs>
          <marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse">
            <path d="M0 0 8 4 0 8z" />
          </marker>
        </defs>
        {edges.map((edge) => (
          <Arrow key={edge.key} edge={edge} place={arrows.get(edge.key)} />
        ))}
        {nodes.map((node) => (
          <Box key={node.id} node={node} place={boxes.get(node.id)} chosen={node.id === chosen} choose={choose} />
        ))}
      </svg>
    </div>
  );
}

function Box({ node, place, chosen, choose }) {
  const { id, kind, title, subtitle, width, height, converting } = node;
  const at = `translate(${place.x - width / 2} ${place.y - height / 2})`;
  const isElement = kind === 'element';
  const press = (event) => {
    if (event.key !== 'Enter' && event.key !== ' ') return;
    event.preventDefault();
    choose(id);
  };
  const button = isElement && { role: 'button', tabindex: 0, 'aria-pressed': chosen, onClick: () => choose(id), onKeyDown: press };
  const name = isElement ? `${title} ${subtitle}${converting ? ', its media is converted' : ''}` : `conversion ${title}`;
  return (
    <g class={`box ${kind} ${chosen ? 'chosen' : ''} ${converting ? 'converts' : ''}`} transform={at} data-id={id} {...(button || { role: 'img' })} aria-label={name}>
      <rect width={width} height={height} rx="8" />
      <text>
        <tspan x={width / 2} y={isElement ? 22 : 20} class="name">
          {title}
        </tspan>{' '}
        <tspan x={width / 2} y="41">
          {subtitle}
        </tspan>
      </text>
    </g>
  );
}

function Arrow({ edge, place }) {
  const { lines, flowing, converted, bond } = edge;
  const first = place.y - (16 * (lines.length - 1)) / 2 + 4;
  return (
    <g class={`arrow ${flowing ? 'flowing' : ''} ${converted ? 'converted' : ''} ${bond ? 'bond' : ''}`} data-key={edge.key} aria-hidden="true">
      <path d={curve(place.points)} marker-end={bond ? undefined : 'url(#head)'} />
      {lines.map((line, index) => (
        <text key={index} x={place.x} y={first + 16 * index}>
          {line}
        </text>
      ))}
    </g>
  );
}

/** Through the middles between points, so that it bends without corners. */
function curve(points) {
  const [first, ...rest] = points;
  const last = rest.at(-1);
  const bends = rest.slice(0, -1).map(({ x, y }, index) => {
    const next = rest[index + 1];
    return `Q${x} ${y} ${(x + next.x) / 2} ${(y + next.y) / 2}`;
  });
  return `M${first.x} ${first.y}${bends.join('')}L${last.x} ${last.y}`;
}
