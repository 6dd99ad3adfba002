// A small plot over time. What it shows last stands beside it as text, for those who do not see it.

import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';

const HEIGHT = 100;
const LINES = ['--line-in', '--line-out'];

export function Plot({ title, text, data, show }) {
  const place = useRef();
  const plot = useRef();
  useEffect(() => {
    const box = place.current;
    const dark = matchMedia('(prefers-color-scheme: dark)');
    const make = () => {
      plot.current?.destroy();
      plot.current = new uPlot(options(box, data.length - 1, show), data, box);
    };
    const fit = new ResizeObserver(() => plot.current.setSize({ width: box.clientWidth, height: HEIGHT }));
    make();
    fit.observe(box);
    dark.addEventListener('change', make);
    return () => {
      dark.removeEventListener('change', make);
      fit.disconnect();
      plot.current.destroy();
    };
  }, []);
  useEffect(() => plot.current.setData(data), [data]);
  return (
    <figure>
      <figcaption>
        {title} <span>{text}</span>
      </figcaption>
      <div ref={place} aria-hidden="true" />
    </figure>
  );
}

function options(box, lines, show) {
  const styles = getComputedStyle(box);
  const colour = (name) => styles.getPropertyValue(name).trim();
  const grid = { stroke: colour('--rule'), width: 1 };
  const axis = { stroke: colour('--quiet'), grid, ticks: { show: false }, font: '11px system-ui' };
  return {
    width: box.clientWidth || 300,
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    scales: { y: { range: (_, __, most) => [0, Math.max(most ?? 0, 1) * 1.1] } },
    axes: [
      { ...axis, size: 20, space: 60 },
      { ...axis, size: 66, space: 20, values: (_, values) => values.map(show) },
    ],
    series: [{}, ...LINES.slice(0, lines).map((name) => ({ stroke: colour(name), width: 2, points: { show: false } }))],
  };
}
