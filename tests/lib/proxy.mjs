// A TCP proxy between a client and a server: connections through it can be cut, and it
// can lead to another server, as when a server has been restarted.

import { connect, createServer } from 'node:net';

/** Listens on a free port of the loopback address; `port` is where it leads. */
export async function startProxy(port) {
  const proxy = new Proxy(port);
  await proxy.listen();
  return proxy;
}

class Proxy {
  #target;
  #server = createServer((client) => this.#join(client));
  #sockets = new Set();
  #frozen = false;
  #failsAt = Infinity;

  /** Bytes that have passed, both ways. */
  bytes = 0;

  constructor(target) {
    this.#target = target;
  }

  async listen() {
    await new Promise((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    this.port = this.#server.address().port;
    this.url = `ws://127.0.0.1:${this.port}/kurento`;
  }

  /** Leads new connections to another port; null refuses them. */
  leadTo(port) {
    this.#target = port;
  }

  /** Ends all connections without a farewell, as a network that fails. */
  cut() {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** Ends all connections once so many more bytes have passed, and refuses new ones from then on. */
  failAfter(bytes) {
    this.#failsAt = this.bytes + bytes;
  }

  /** Lets nothing pass any more, without a word to either side; what is sent is lost. */
  freeze() {
    this.#frozen = true;
  }

  /** Ends `freeze`. */
  thaw() {
    this.#frozen = false;
  }

  /** Number of connections through the proxy. */
  get connections() {
    return this.#sockets.size / 2;
  }

  async close() {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #fail() {
    this.#failsAt = Infinity;
    this.leadTo(null);
    this.cut();
  }

  #join(client) {
    if (this.#target === null) return client.resetAndDestroy();
    const server = connect(this.#target, '127.0.0.1');
    for (const [socket, other] of [[client, server], [server, client]]) {
      this.#sockets.add(socket);
      socket.on('data', (data) => {
        if (this.#frozen) return;
        this.bytes += data.length;
        other.write(data);
        if (this.bytes >= this.#failsAt) this.#fail();
      });
      socket.on('end', () => other.end());
      socket.on('error', () => other.destroy());
      socket.on('close', () => (this.#sockets.delete(socket), other.destroy()));
    }
  }
}
