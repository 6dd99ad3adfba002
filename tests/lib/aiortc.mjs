// The peer of tests/aiortc/peer.py as a child process.

import { fileURLToPath } from 'node:url';

import { PeerProcess } from './peer-process.mjs';

const python = fileURLToPath(new URL('../.venv/bin/python', import.meta.url));
const script = fileURLToPath(new URL('../aiortc/peer.py', import.meta.url));

/** Starts a peer that sends video with `codec` ('VP8' or 'H264') and Opus sound. */
export class AiortcPeer extends PeerProcess {
  constructor(codec) {
    super('the aiortc peer', python, [script, codec]);
  }
}
