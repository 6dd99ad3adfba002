// FFmpeg 9, which speaks Enhanced RTMP, as PyPI's imageio-ffmpeg carries it.

import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const python = fileURLToPath(new URL('../.venv/bin/python', import.meta.url));

/** Its program. */
export function enhancedFfmpeg() {
  return execFileSync(python, ['-c', 'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())'], { encoding: 'utf8' }).trim();
}
