// An internet of network namespaces: the server's machine, the browser's, a
// router in front of either, and a public host for STUN and TURN between them.
//
//   server ── [router] ──┐
//                     internet (bridge media-net, STUN and TURN)
//   browser ── [router] ─┘
//
// The test's own namespace (netns.sh) is the server's machine. Without its
// router a machine is on the public network itself. Routers translate
// addresses of both IP versions, as homes and companies do.

import { spawn, spawnSync } from 'node:child_process';
import { readlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { until } from './wait.mjs';

/** The public host's addresses. */
export const PUBLIC = { v4: '198.51.100.1', v6: '2001:db8::1' };

const SERVER = { name: 'server', public: 10, lan: 1 };
const BROWSER = { name: 'browser', public: 20, lan: 2 };

const lanAddress = (side, host) => [`10.${side.lan}.0.${host}/24`, `fd00:${side.lan}::${host}/64`];
const publicAddress = (host) => [`198.51.100.${host}/24`, `2001:db8::${host}/64`];
const bare = (address) => address.split('/')[0];

/** One network namespace, which lasts as long as its process. */
class Namespace {
  #holder;

  static async create() {
    const namespace = new Namespace();
    namespace.#holder = spawn('unshare', ['--net', 'sleep', 'infinity'], { stdio: 'ignore' });
    const own = readlinkSync('/proc/self/ns/net');
    await until(() => readlinkSync(`/proc/${namespace.pid}/ns/net`) !== own, 'a network namespace is there');
    namespace.run('ip link set lo up');
    return namespace;
  }

  get pid() {
    return this.#holder.pid;
  }

  /** Words that run a command inside. */
  get prefix() {
    return ['nsenter', `--net=/proc/${this.pid}/ns/net`];
  }

  run(command) {
    run([...this.prefix, 'sh', '-c', command]);
  }

  close() {
    this.#holder.kill('SIGKILL');
  }
}

/** Where the test itself is. */
const here = { pid: process.pid, run: (command) => run(['sh', '-c', command]) };

function run(words) {
  const [command, ...rest] = words;
  const { status, stderr } = spawnSync(command, rest, { encoding: 'utf8', env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` } });
  if (status !== 0) throw new Error(`${words.join(' ')}: ${stderr}`);
}

export class Internet {
  #namespaces = [];
  #turn;

  /**
   * Builds it. `serverNat`, `browserNat`: whether that side is behind a
   * translator; 'symmetric' for one that takes another port for each remote
   * address, through which only a relay helps if both sides have one.
   */
  static async build({ serverNat = false, browserNat = false } = {}) {
    if (!process.env.RIVERO_TEST_NETNS) throw new Error('run it in a namespace of its own: tests/netns.sh node --test FILE');
    const internet = new Internet();
    try {
      await internet.#lay(serverNat, browserNat);
    } catch (error) {
      await internet.close();
      throw error;
    }
    return internet;
  }

  async #lay(serverNat, browserNat) {
    this.public = await this.#add();
    this.public.run('ip link add media-net type bridge && ip link set media-net up');
    assign(this.public, 'media-net', publicAddress(1));
    // What is sent to private addresses vanishes, without an error that coturn would take amiss.
    this.public.run('ip link add media-void type veth peer name media-end && ip link set media-void up arp off && ip link set media-end up');
    this.public.run('ip -4 route add default dev media-void && ip -6 route add default dev media-void');
    this.browser = await this.#add();
    // The veth of netns.sh leads nowhere.
    here.run('ip link del media0');
    this.serverRouter = await this.#attach(here, SERVER, serverNat);
    this.browserRouter = await this.#attach(this.browser, BROWSER, browserNat);
    /** Where the browser's machine is by its own account, and the server's to others; IPv4. */
    this.places = {
      address: bare(browserNat ? lanAddress(BROWSER, 2)[0] : publicAddress(BROWSER.public)[0]),
      publicAddress: bare(publicAddress(SERVER.public)[0]),
    };
  }

  async #add() {
    const namespace = await Namespace.create();
    this.#namespaces.push(namespace);
    return namespace;
  }

  async #attach(machine, side, nat) {
    const router = nat ? await this.#add() : undefined;
    const outer = router ?? machine;
    const plug = `media-${side.name[0]}`;
    this.public.run(`ip link add ${plug} type veth peer name media-out netns ${outer.pid} && ip link set ${plug} master media-net up`);
    outer.run('ip link set media-out up');
    assign(outer, 'media-out', publicAddress(side.public));
    if (!router) {
      setDefaultRoutes(machine, [PUBLIC.v4, PUBLIC.v6], 'media-out');
      return undefined;
    }
    router.run(`ip link add media-in type veth peer name media-lan netns ${machine.pid} && ip link set media-in up`);
    machine.run('ip link set media-lan up');
    assign(router, 'media-in', lanAddress(side, 1));
    assign(machine, 'media-lan', lanAddress(side, 2));
    router.run('echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding');
    setDefaultRoutes(machine, lanAddress(side, 1).map(bare), 'media-lan');
    const how = nat === 'symmetric' ? 'masquerade fully-random' : 'masquerade';
    for (const family of ['ip', 'ip6']) {
      router.run(`nft 'add table ${family} nat; add chain ${family} nat out { type nat hook postrouting priority 100; }; add rule ${family} nat out oifname media-out ${how}'`);
    }
    // What nobody inside has asked for stays out, as in any home; and leaves no trace, or the
    // translator would take another port for what goes the other way.
    for (const hook of ['forward', 'input']) {
      router.run(
        `nft 'add table inet guard; add chain inet guard ${hook} { type filter hook ${hook} priority 0; };` +
          ` add rule inet guard ${hook} iifname media-out ct state new drop'`,
      );
    }
    return router;
  }

  /** Drops what `rule` (of nft) matches on its way out of a machine. */
  block(machine, rule) {
    const where = machine ?? here;
    where.run(`nft 'add table inet block; add chain inet block out { type filter hook output priority 0; }; add rule inet block out ${rule} drop'`);
  }

  /** Lets everything out of a machine again. */
  unblock(machine) {
    (machine ?? here).run('nft delete table inet block');
  }

  /** Lets a router forget who is behind which of its ports, as a restart does. */
  forgetMappings(router) {
    // Masquerading forgets when its device goes down. IPv6 addresses go with it.
    router.run('ip link set media-out down && ip link set media-out up');
  }

  /** Starts coturn on the public host; `options` are further ones of its command line, or the name of its configuration. */
  async startTurn(options = []) {
    this.#turn = await startTurn(this.public.prefix, [PUBLIC.v4, PUBLIC.v6], options);
    return this.#turn;
  }

  async close() {
    await this.#turn?.stop();
    this.#namespaces.forEach((namespace) => namespace.close());
  }
}

function assign(machine, device, addresses) {
  for (const address of addresses) {
    const family = address.includes(':') ? '-6' : '-4';
    // Without duplicate detection an IPv6 address is usable at once.
    machine.run(`ip ${family} addr add ${address} dev ${device} ${family === '-6' ? 'nodad' : ''}`);
  }
}

function setDefaultRoutes(machine, gateways, device) {
  for (const gateway of gateways) {
    const family = gateway.includes(':') ? '-6' : '-4';
    machine.run(`ip ${family} route replace default via ${gateway} dev ${device}`);
  }
}

export const TURN_USER = 'rivero';
/** Everything that a URL might trip over. */
export const TURN_PASSWORD = 'p@ss:w=rd';

/**
 * Starts coturn in the namespace that `prefix` enters, on ports 3478 (UDP, TCP)
 * and, with `--cert` and `--pkey` among the options, 5349 (TLS) of `addresses`. A
 * text in place of `options` is the name of a file that has all of it.
 */
export async function startTurn(prefix, addresses, options = []) {
  const state = join(tmpdir(), `rivero-turn-${process.pid}`);
  const told = typeof options === 'string' ? ['-c', options] : toldByArguments(addresses, options);
  const [command, ...rest] = [...prefix, 'turnserver', ...told, '--pidfile', `${state}.pid`, '--userdb', `${state}.db`];
  const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (log += text));
  const ended = new Promise((resolve) => child.once('exit', resolve));
  await until(() => {
    if (child.exitCode !== null) throw new Error(`coturn ended:\n${log}`);
    const { stdout } = spawnSync(prefix[0] ?? 'ss', [...prefix.slice(1), ...(prefix.length ? ['ss'] : []), '-Hlnut'], { encoding: 'utf8' });
    return addresses.every((address) => stdout.includes(`${address.includes(':') ? `[${address}]` : address}:3478`));
  }, 'coturn listens');
  return {
    get log() {
      return log;
    },
    async stop() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

function toldByArguments(addresses, options) {
  return [
    '-n', '--no-cli', '--log-file', 'stdout', '--simple-log', '--verbose',
    '--realm', 'rivero.test', '--fingerprint', '--no-software-attribute',
    ...addresses.flatMap((address) => ['--listening-ip', address, '--relay-ip', address]),
    ...(options.includes('--use-auth-secret') ? [] : ['--lt-cred-mech', '--user', `${TURN_USER}:${TURN_PASSWORD}`]),
    ...(options.includes('--cert') ? [] : ['--no-tls', '--no-dtls']),
    ...options,
  ];
}

/** A program in `directory` that runs Chromium in a namespace. */
export function browserIn(namespace, directory) {
  const file = join(directory, 'chromium-inside');
  const program = process.env.CHROMIUM ?? '/usr/bin/chromium';
  writeFileSync(file, `#!/bin/sh\nexec ${namespace.prefix.join(' ')} ${program} "$@"\n`, { mode: 0o755 });
  return file;
}
