import { invoke } from '../common/call.js';
import { offerLoopback } from '../common/loopback.js';

offerLoopback({
  live: 'Look into the camera',
  async between(pipeline, fail) {
    const filter = await pipeline.create('FaceOverlayFilter');
    filter.on('Error', ({ description }) => fail(new Error(description)));
    // The server fetches the hat from where this page comes from. It is put on top of the head, a
    // little wider than the face.
    const hat = new URL('hat.png', location.href).href;
    await invoke(filter, 'setOverlayedImage', hat, -0.2, -0.75, 1.4, 0.95);
    return filter;
  },
});
