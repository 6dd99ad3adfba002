// ArUco markers, drawn.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Cells of some markers, row by row, white being 1. */
const MARKERS = {
  '4X4 0': ['1011', '0101', '0011', '0010'],
  '4X4 7': ['1100', '0100', '1111', '0010'],
};

/** A marker of the original dictionary: two bits of its number a row. */
function original(id) {
  const rows = ['10000', '10111', '01001', '01110'];
  return [8, 6, 4, 2, 0].map((shift) => rows[(id >> shift) & 3]);
}

/** Writes the image of a marker, `cell` pixels a cell, with its border and a white edge. Gives its path. */
export function drawMarker(directory, name, cell) {
  const cells = MARKERS[name] ?? original(Number(name));
  const side = (cells.length + 4) * cell;
  const value = (row, column) => {
    const inside = (at) => at >= 0 && at < cells.length;
    if (inside(row) && inside(column)) return cells[row][column] === '1' ? 255 : 0;
    return row < -1 || column < -1 || row > cells.length || column > cells.length ? 255 : 0;
  };
  const pixels = Array.from({ length: side * side }, (_, at) => value(Math.floor(at / side / cell) - 2, Math.floor((at % side) / cell) - 2));
  const path = join(directory, `marker-${name.replace(' ', '-')}-${cell}.pgm`);
  writeFileSync(path, Buffer.concat([Buffer.from(`P5 ${side} ${side} 255\n`), Buffer.from(pixels)]));
  return path;
}
