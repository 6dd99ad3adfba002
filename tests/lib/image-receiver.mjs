// A gRPC service as receivers of a VideoSampler's pictures have it, on gRPC's own library and the module's .proto.

import { after } from 'node:test';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';

import { Server, ServerCredentials, loadPackageDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

const PROTO = fileURLToPath(new URL('../../plugins/video-sampler/image-deliver.proto', import.meta.url));
const { videoSampler } = loadPackageDefinition(loadSync(PROTO, { keepCase: true, longs: Number, defaults: true }));

const servers = [];
after(() => servers.forEach((server) => server.forceShutdown()));

/**
 * Starts a service on a loopback address. `tls`: `{key, certificate}` in PEM. Its `images` are the pictures so far, and `answer(image, reply)` may
 * be set: `reply()` takes a picture, `reply({code, details})` refuses it. It ends with the tests of its file.
 */
export async function startReceiver({ port = 0, tls } = {}) {
  const receiver = { images: [], answer: (image, reply) => reply() };
  const server = new Server({ 'grpc.max_receive_message_length': 32 << 20 });
  servers.push(server);
  server.addService(videoSampler.ImageDeliver.service, {
    deliverImage({ request }, callback) {
      receiver.images.push(request);
      receiver.answer(request, (error = null) => callback(error, {}));
    },
  });
  const credentials = tls ? ServerCredentials.createSsl(null, [{ private_key: tls.key, cert_chain: tls.certificate }]) : ServerCredentials.createInsecure();
  receiver.port = await promisify(server.bindAsync.bind(server))(`127.0.0.1:${port}`, credentials);
  receiver.of = (metadata) => receiver.images.filter((image) => image.metadata === metadata);
  /** Ends it as a crash would: its connections break. */
  receiver.kill = () => server.forceShutdown();
  return receiver;
}
