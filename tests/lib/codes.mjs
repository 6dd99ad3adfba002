// A code to be found.

import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A text, and its QR code. */
export const TEXT = 'http://rivero.example/1';
export const CODE = `
#######  # ## #   #######
#     # #   # # # #     #
# ### # #  #  ##  # ### #
# ### # # #  #  # # ### #
# ### #   #   # # # ### #
#     #   ##      #     #
####### # # # # # #######
        #  ##            
#     # ## # ## ###  ### 
   ###  #  ##### # ##### 
 ###  ##### # ###### # ##
    #  ## # #   #   ##  #
   # ##  #  #  ## ##    #
### ##   #     ##  #   # 
#  #####  ### ## ## ## ##
# # #  #   #   # ## # # #
#    ####  # #  ##### #  
        ##  ##  #   # #  
#######  ###    # # ##  #
#     #  ## # # #   #  # 
# ### #  ## ## ##########
# ### #  #     # ### # ##
# ### #   ###   ## #  # #
#     #    #  # # ###   #
####### #   ### ##   #  #`.split('\n').slice(1);

/** Makes a film of the code, 4 pixels a module, turned by some degrees in a grey picture. Resolves to its path. */
export async function makeCodeVideo(directory, degrees = 0) {
  const image = join(directory, 'code.pgm');
  const side = CODE.length + 8;
  const rows = Array.from({ length: side }, (_, y) => Array.from({ length: side }, (_, x) => (CODE[y - 4]?.[x - 4] === '#' ? 0 : 255)));
  writeFileSync(image, Buffer.concat([Buffer.from(`P5 ${side} ${side} 255\n`), Buffer.from(rows.flat())]));
  const path = join(directory, 'code.webm');
  const turned = `scale=iw*4:ih*4:flags=neighbor,rotate=${degrees}*PI/180:ow=320:oh=240:fillcolor=gray,format=yuv420p`;
  const codec = ['-c:v', 'libvpx', '-deadline', 'realtime', '-b:v', '800k', '-t', '6'];
  await run('ffmpeg', ['-v', 'error', '-nostdin', '-y', '-loop', '1', '-framerate', '15', '-i', image, '-vf', turned, ...codec, path]);
  return path;
}
