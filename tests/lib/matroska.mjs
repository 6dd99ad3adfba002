// Matroska as careless writers make it: the tracks far apart in the file.

import { readFileSync, writeFileSync } from 'node:fs';

const [SEGMENT, CLUSTER, TIMESTAMP, SIMPLE_BLOCK, GROUP, BLOCK] = [0x18538067, 0x1f43b675, 0xe7, 0xa3, 0xa0, 0xa1];
/** What tells where something is in the file, or what it is worth in whole. */
const PLACES = [0x114d9b74, 0x1c53bb6b, 0xec, 0xbf];

/**
 * Copies a file of FFmpeg's, whose times are in ms, so that the blocks of track `number` come before those of the others
 * that are up to `ms` earlier.
 */
export function writeAhead(source, target, number, ms) {
  const parts = elements(readFileSync(source));
  const head = parts.find(({ id }) => id !== SEGMENT);
  const segment = elements(parts.find(({ id }) => id === SEGMENT).body);
  const blocks = segment.filter(({ id }) => id === CLUSTER).flatMap(({ body }) => blocksOf(body));
  const place = ({ track, time }) => time - (track === number ? ms : 0);
  blocks.sort((one, two) => place(one) - place(two));
  const kept = segment.filter(({ id }) => id !== CLUSTER && !PLACES.includes(id)).map(({ bytes }) => bytes);
  const body = Buffer.concat([...kept, ...blocks.map(cluster)]);
  writeFileSync(target, Buffer.concat([head.bytes, element(SEGMENT, body)]));
}

/** The elements in some bytes: `{id, body, bytes}`, `bytes` with its head. */
function elements(data) {
  const found = [];
  for (let at = 0; at < data.length; ) {
    const idLength = Math.clz32(data[at]) - 23;
    const id = data.readUIntBE(at, idLength);
    const sizeAt = at + idLength;
    const sizeLength = Math.clz32(data[sizeAt]) - 23;
    let size = data[sizeAt] & (0xff >> sizeLength);
    for (const byte of data.subarray(sizeAt + 1, sizeAt + sizeLength)) size = size * 256 + byte;
    const begin = sizeAt + sizeLength;
    const end = Math.min(begin + size, data.length);
    found.push({ id, body: data.subarray(begin, end), bytes: data.subarray(at, end) });
    at = end;
  }
  return found;
}

function blocksOf(body) {
  const children = elements(body);
  const stamp = children.find(({ id }) => id === TIMESTAMP).body;
  const base = stamp.readUIntBE(0, stamp.length);
  return children
    .filter(({ id }) => [SIMPLE_BLOCK, GROUP].includes(id))
    .map(({ id, body: own, bytes }) => {
      const block = id === GROUP ? elements(own).find((child) => child.id === BLOCK).body : own;
      return { bytes, block, track: block[0] & 0x7f, time: base + block.readInt16BE(1) };
    });
}

/** A cluster of one block. */
function cluster({ bytes, block, time }) {
  const stamp = Buffer.alloc(4);
  stamp.writeUInt32BE(time);
  block.writeInt16BE(0, 1);
  return element(CLUSTER, Buffer.concat([element(TIMESTAMP, stamp), bytes]));
}

function element(id, body) {
  const name = Buffer.from(id.toString(16), 'hex');
  const size = Buffer.alloc(8);
  size.writeBigUInt64BE(BigInt(body.length));
  size[0] = 0x01;
  return Buffer.concat([name, size, body]);
}
