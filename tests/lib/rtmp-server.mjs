// nginx with its RTMP module, and what FFmpeg plays from it.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { until, within } from './wait.mjs';

const run = promisify(execFile);
const MODULE = '/usr/lib/nginx/modules/ngx_rtmp_module.so';

/** A server with the application `live`. It can be killed, and started again at the same port. */
export class RtmpServer {
  #directory = mkdtempSync(join(tmpdir(), 'rivero-rtmp-'));
  #child;

  /** Starts it and waits until it takes connections. */
  async start() {
    this.port ??= await freePort();
    const config = join(this.#directory, 'nginx.conf');
    writeFileSync(config, this.#config());
    this.#child = spawn('nginx', ['-p', this.#directory, '-c', config, '-e', join(this.#directory, 'log')], { stdio: 'ignore' });
    await until(() => canConnect(this.port), 'nginx takes connections');
  }

  /** Ends it as a crash would. */
  async kill() {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await within(ended, 'nginx ends');
  }

  async stop() {
    if (this.#child && this.#child.exitCode === null && this.#child.signalCode === null) await this.kill();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  url(name) {
    return `rtmp://127.0.0.1:${this.port}/live/${name}`;
  }

  /** Plays `seconds` of a stream into a file, as it comes. Resolves to the file. */
  async capture(name, seconds, file) {
    await run('ffmpeg', ['-v', 'error', '-nostdin', '-y', '-rw_timeout', '20000000', '-i', this.url(name), '-t', String(seconds), '-c', 'copy', file]);
    return file;
  }

  /** Plays a stream into a file, as it comes, until the returned function is called. Resolves when the file has begun. */
  async play(name, file) {
    const parameters = ['-v', 'error', '-nostdin', '-y', '-rw_timeout', '20000000', '-i', this.url(name), '-c', 'copy', '-flush_packets', '1', file];
    const child = spawn('ffmpeg', parameters, { stdio: 'ignore' });
    const ended = once(child, 'exit');
    await until(() => {
      if (child.exitCode !== null) throw new Error(`FFmpeg cannot play ${name}`);
      return existsSync(file) && statSync(file).size > 0;
    }, `${name} is played`);
    return async () => {
      child.kill('SIGINT');
      await within(ended, 'FFmpeg ends');
      return file;
    };
  }

  /**
   * ms until somebody who plays a stream gets a first picture of it, from now on. FFmpeg reads until it knows what comes, with a
   * picture of it, and gives what it has read (with `nobuffer` it would throw the first keyframe away).
   */
  async timeToPicture(name) {
    const begin = performance.now();
    const quick = ['-fpsprobesize', '0', '-rw_timeout', '20000000'];
    const child = spawn('ffmpeg', ['-v', 'error', '-nostdin', ...quick, '-i', this.url(name), '-map', '0:v', '-c', 'copy', '-f', 'framecrc', '-flush_packets', '1', 'pipe:1'], { stdio: ['ignore', 'pipe', 'ignore'] });
    try {
      let said = '';
      child.stdout.on('data', (text) => (said += text));
      // A line for each picture, behind those of the head.
      await until(() => /^0,/m.test(said), `a picture of ${name}`);
      return performance.now() - begin;
    } finally {
      child.kill('SIGKILL');
    }
  }

  #config() {
    return `load_module ${MODULE};
daemon off;
master_process off;
pid ${join(this.#directory, 'pid')};
events { worker_connections 64; }
rtmp { server { listen 127.0.0.1:${this.port}; application live { live on; } } }
`;
  }
}

/** A port of 127.0.0.1 that nobody listens at. */
export async function freePort() {
  const probe = createServer();
  await new Promise((resolve, reject) => probe.once('error', reject).listen(0, '127.0.0.1', resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

function canConnect(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
