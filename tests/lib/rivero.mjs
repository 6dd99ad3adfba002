// A fresh Rivero for one test: its own directories, its own free port, the
// modules that the test names, and everything removed again afterwards.

import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, linkSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { usage } from './process-usage.mjs';
import { until, within } from './wait.mjs';

const repository = fileURLToPath(new URL('../../', import.meta.url));
const release = process.env.RIVERO_RELEASE_DIR ?? join(repository, 'target', 'release');

/** The server binary and the directories of what `make build-tests` leaves behind. */
export const artefacts = {
  server: join(release, 'rivero'),
  kmd: join(release, 'kmd'),
  reflector: join(release, 'rivero-reflector'),
  modules: join(release, 'modules'),
  fixtures: join(release, 'fixtures'),
  examples: join(release, 'example-modules'),
  console: join(release, 'console'),
};

/** Where each server's log stays after its test, for reading when one fails. */
const output = fileURLToPath(new URL('../.output/', import.meta.url));

/** Names of all built modules, such as `webrtc` for `webrtc.so`. */
export function builtModules() {
  return readdirSync(artefacts.modules)
    .filter((file) => file.endsWith('.so'))
    .map((file) => file.slice(0, -3));
}

/**
 * Starts a server and waits until it accepts connections.
 *
 * - `modules`: names of built modules to copy into its modules directory;
 *   all of them by default. A name of a fixture is found as well.
 * - `extraFiles`: `{fileName: Buffer | string}` to put beside them.
 * - `config`: merged into the main file's `mediaServer` node.
 * - `moduleConfig`: `{'kurento/WebRtcEndpoint.conf.ini': text}`.
 * - `port`: a free one by default.
 * - `args`, `env`: in addition.
 * - `modulesOption: false`: without `--modules-path`; a later one in `args` takes its place.
 * - `arrange(modulesPath)`: puts things beside the modules, before the start.
 * - `program`: another place of the server's binary.
 * - `unprivileged`: root without the right to read what it may not.
 * - `wrap(command)`: the command to run in place of the server's.
 */
export async function startRivero(options = {}) {
  const home = mkdtempSync(join(tmpdir(), 'rivero-test-'));
  const port = options.port ?? (await freePort());
  const paths = layOut(home, port, options);
  await options.arrange?.(paths.modules);
  const [program, ...args] = commandLine(paths, options);
  // Servers of several tests run at a time, and the usual port is one. A server ends where it calls a module
  // on a thread that is none of the module's. Tesseract has one thread, as in the service.
  const env = { RIVERO_MANAGEMENT_PORT: '0', RIVERO_CHECK_THREADS: '1', OMP_THREAD_LIMIT: '1', ...process.env, ...options.env };
  const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const server = new Rivero(child, home, port, paths);
  try {
    await server.accepting();
  } catch (error) {
    await server.stop();
    throw error;
  }
  return server;
}

/** Program and arguments. An option that `options.args` has too is left to them. */
function commandLine(paths, { args = [], modulesOption = true, program = paths.server, unprivileged, wrap = (command) => command }) {
  const command = [program, '--conf-file', paths.configFile, '--modules-config-path', paths.moduleConfig];
  if (modulesOption && !args.includes('--modules-path')) command.push('--modules-path', paths.modules);
  command.push(...args);
  if (!unprivileged) return wrap(command);
  const rights = '-dac_override,-dac_read_search';
  return wrap(['setpriv', `--bounding-set=${rights}`, `--inh-caps=${rights}`, ...command]);
}

class Rivero {
  #child;
  #home;
  #log = '';

  constructor(child, home, port, { modules, configFile }) {
    this.#child = child;
    this.#home = home;
    this.port = port;
    this.url = `ws://127.0.0.1:${port}/kurento`;
    this.modulesPath = modules;
    this.configFile = configFile;
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => (this.#log += text));
    }
    /** Resolves to `{code, signal}` when the process has ended. */
    this.exit = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code, signal) => resolve({ code, signal }));
    });
    this.exit.catch(() => {}); // reported by accepting()
  }

  get pid() {
    return this.#child.pid;
  }

  /** Everything written to standard output and standard error so far. */
  get log() {
    return this.#log;
  }

  get running() {
    return this.#child.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** See `usage` in process-usage.mjs. */
  usage() {
    return usage(this.pid);
  }

  async accepting() {
    const ended = this.exit.then(({ code, signal }) => {
      throw new Error(`the server ended early (code ${code}, signal ${signal}):\n${this.#log}`);
    });
    await Promise.race([ended, until(() => canConnect(this.port), 'server accepts connections', 30_000)]);
  }

  #keepLog() {
    mkdirSync(output, { recursive: true });
    writeFileSync(join(output, logName(this.port)), this.#log);
  }

  /** Ends the server with SIGTERM; resolves to `{code, signal}`. */
  async stop() {
    if (this.running) this.#child.kill('SIGTERM');
    try {
      if (this.#child.pid !== undefined) return await within(this.exit, 'server stops on SIGTERM', 15_000);
    } catch (error) {
      this.#child.kill('SIGKILL');
      throw error;
    } finally {
      this.#keepLog();
      rmSync(this.#home, { recursive: true, force: true });
    }
  }
}

function logName(port) {
  return `${basename(process.argv[1] ?? 'server', '.test.mjs')}.${port}.log`;
}

/** Servers of several tests run at a time. */
const FREE_PORTS = { 'kurento/HttpEndpoint.conf.ini': 'serverPort=0\n' };

function layOut(home, port, { modules = builtModules(), extraFiles = {}, config = {}, moduleConfig = {} }) {
  const paths = {
    configFile: join(home, 'kurento.conf.json'),
    modules: join(home, 'modules'),
    moduleConfig: join(home, 'config'),
    server: join(home, 'rivero'),
  };
  placeServer(paths.server);
  mkdirSync(paths.modules);
  mkdirSync(paths.moduleConfig);
  for (const name of modules) copyModule(name, paths.modules);
  for (const [name, content] of Object.entries(extraFiles)) writeFileSync(join(paths.modules, name), content);
  for (const [name, text] of Object.entries({ ...FREE_PORTS, ...moduleConfig })) {
    const file = join(paths.moduleConfig, name);
    mkdirSync(join(file, '..'), { recursive: true });
    writeFileSync(file, text);
  }
  const main = {
    mediaServer: { ...config, net: { websocket: { address: '127.0.0.1', port, path: 'kurento', ...config.websocket } } },
  };
  delete main.mediaServer.websocket;
  writeFileSync(paths.configFile, JSON.stringify(main, null, 2));
  return paths;
}

/** The program looks for modules beside itself too: in the test's own folder there are none. */
function placeServer(path) {
  try {
    linkSync(artefacts.server, path);
  } catch {
    copyFileSync(artefacts.server, path); // another file system
  }
}

function copyModule(name, directory) {
  const file = `${name}.so`;
  const built = [artefacts.modules, artefacts.fixtures, artefacts.examples].map((from) => join(from, file)).find((path) => existsSync(path));
  if (!built) throw new Error(`module ${file} is not built: run 'make build-tests'`);
  copyFileSync(built, join(directory, file));
}

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
