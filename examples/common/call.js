// What every example needs: where the server is, a client, and one
// RTCPeerConnection bound to one WebRtcEndpoint.
//
// kurentoClient and kurentoUtils are globals, from the classic scripts in /vendor.

/** Rivero's address: `?server=` in the page's URL, else as the web server was told, else port 8888 of this host. */
export async function serverAddress() {
  const asked = new URLSearchParams(location.search).get('server');
  if (asked) return asked;
  const { server } = await (await fetch('/config.json')).json();
  return server ?? `ws://${location.hostname}:8888/kurento`;
}

/** Connects to the server; rejects when it cannot be reached. */
export async function connectToServer() {
  const address = await serverAddress();
  return new Promise((resolve, reject) => {
    kurentoClient(address, { failAfter: 3 }, (error, client) => {
      if (error) reject(new Error(`No media server at ${address}: ${error.message ?? error}`));
      else resolve(client);
    });
  });
}

/**
 * Calls an operation of a media object. The client's own promises resolve even
 * when the server refuses the call; only its callbacks tell.
 */
export function invoke(object, operation, ...parameters) {
  return asPromise((done) => object[operation](...parameters, done));
}

/**
 * Makes a WebRtcPeer. `mode` is 'Sendrecv', 'Sendonly' or 'Recvonly', `options`
 * are kurento-utils' own. No STUN server is asked unless `options` name one.
 */
export function createPeer(mode, options) {
  return new Promise((resolve, reject) => {
    const settings = { configuration: { iceServers: [] }, ...options };
    const peer = kurentoUtils.WebRtcPeer[`WebRtcPeer${mode}`](settings, (error) => (error ? reject(error) : resolve(peer)));
  });
}

/** A pipeline on a connection of its own; `cleanup` ends both. */
export async function openPipeline(cleanup) {
  const client = await connectToServer();
  cleanup.add(() => client.close());
  const pipeline = await client.create('MediaPipeline');
  cleanup.add(() => pipeline.release());
  return pipeline;
}

/** Negotiates `peer` with `endpoint`, candidates trickling both ways. */
export async function negotiate(peer, endpoint) {
  const IceCandidate = kurentoClient.getComplexType('IceCandidate');
  peer.on('icecandidate', (candidate) => endpoint.addIceCandidate(IceCandidate(candidate)));
  endpoint.on('IceCandidateFound', ({ candidate }) => peer.addIceCandidate(candidate));

  const offer = await asPromise((done) => peer.generateOffer(done));
  const answer = await invoke(endpoint, 'processOffer', offer);
  await asPromise((done) => peer.processAnswer(answer, done));
  await invoke(endpoint, 'gatherCandidates');
}

function asPromise(start) {
  return new Promise((resolve, reject) => start((error, value) => (error ? reject(error) : resolve(value))));
}

/** Calls `connected()` when the peer's RTCPeerConnection is, `fail(error)` when it cannot be, or is not any more. */
export function watchConnection(peer, fail, connected = () => {}) {
  const connection = peer.peerConnection;
  connection.addEventListener('connectionstatechange', () => {
    if (connection.connectionState === 'connected') connected();
    if (connection.connectionState === 'failed') fail(new Error('The media connection failed: no network path between this browser and the server.'));
  });
}
