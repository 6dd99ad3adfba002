// Streams of HLS, made by FFmpeg when a test needs them.

import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
/** Seconds of a segment. */
export const SEGMENT = 2;

/**
 * Cuts a file into segments of `SEGMENT` seconds below `directory/name`; `options`: more of FFmpeg's for the `hls`
 * muxer, `tracks`: `['0:v']` where not all are wanted. Resolves to the directory, whose playlist is `list.m3u8`.
 */
export async function makeStream(source, directory, name, { options = [], tracks = ['0'] } = {}) {
  const own = join(directory, name);
  mkdirSync(own);
  const maps = tracks.flatMap((track) => ['-map', track]);
  const muxer = ['-f', 'hls', '-hls_time', String(SEGMENT), '-hls_list_size', '0', '-hls_playlist_type', 'vod', ...options];
  await run('ffmpeg', ['-v', 'error', '-nostdin', '-y', '-i', source, ...maps, '-c', 'copy', ...muxer, 'list.m3u8'], { cwd: own });
  return own;
}

/** The options for segments that are encrypted with a new key, in a directory that is there. */
export function encryption(directory) {
  const [key, info] = ['key', 'key.info'].map((name) => join(directory, name));
  writeFileSync(key, Buffer.from('0123456789abcdef'));
  writeFileSync(info, `key\n${key}\n000102030405060708090a0b0c0d0e0f\n`);
  return ['-hls_key_info_file', info];
}

/** The entries of a playlist of segments: `[{lines, uri}]`, lines being the tags before the URI. */
export function segmentsOf(directory) {
  const entries = [];
  let lines = [];
  for (const line of readFileSync(join(directory, 'list.m3u8'), 'utf8').split('\n')) {
    if (/^#EXT(INF|-X-BYTERANGE)/.test(line)) lines.push(line);
    else if (line && !line.startsWith('#')) {
      entries.push({ lines, uri: line });
      lines = [];
    }
  }
  return entries;
}

/** A playlist of segments. `from`: number of the first one. */
export function playlist(entries, { from = 0, ends = true } = {}) {
  const head = ['#EXTM3U', '#EXT-X-VERSION:3', `#EXT-X-TARGETDURATION:${SEGMENT}`, `#EXT-X-MEDIA-SEQUENCE:${from}`];
  const body = entries.flatMap(({ lines, uri }) => [...lines, uri]);
  return [...head, ...body, ...(ends ? ['#EXT-X-ENDLIST'] : []), ''].join('\n');
}
