// The process of an attacker: carries out one load, says so, and stays until it is ended.

import { setPriority } from 'node:os';

import { Aim } from './aim.mjs';
import { LOADS, PARTS } from './loads.mjs';

// Attackers have machines of their own: here they take no processor from anybody.
setPriority(10);

process.once('message', async ({ name, port, milliseconds, options }) => {
  const aim = new Aim(port, performance.now() + milliseconds);
  await { ...LOADS, ...PARTS }[name](aim, options);
  process.send(aim.summary());
});
