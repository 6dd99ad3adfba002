// What a process costs right now, read from /proc.

import { readFileSync, readdirSync, readlinkSync } from 'node:fs';

const CLOCK_TICKS_PER_SECOND = 100; // USER_HZ is 100 on every Linux architecture.

/**
 * Usage of process `pid`: resident memory in KiB, threads, open file
 * descriptors, the sockets among them, and CPU seconds since it started.
 */
export function usage(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const field = (name) => Number(status.match(new RegExp(`^${name}:\\s+(\\d+)`, 'm'))[1]);
  const descriptors = readdirSync(`/proc/${pid}/fd`);
  return {
    rssKib: field('VmRSS'),
    threads: field('Threads'),
    descriptors: descriptors.length,
    sockets: descriptors.filter((fd) => isSocket(pid, fd)).length,
    cpuSeconds: cpuSeconds(pid),
  };
}

function isSocket(pid, fd) {
  try {
    return readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith('socket:');
  } catch {
    return false; // closed since it was listed
  }
}

function cpuSeconds(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The second field is the name in parentheses, which may contain blanks.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_PER_SECOND;
}

/** Files mapped by process `pid` that `matches` accepts, each once. */
export function mappedFiles(pid, matches) {
  const maps = readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n');
  const paths = maps.map((line) => line.slice(73).trim()).filter((path) => path && matches(path));
  return [...new Set(paths)];
}
