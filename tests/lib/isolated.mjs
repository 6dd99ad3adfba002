// Elements of the fixture `faults`, whose module is isolated, and the processes they are in.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

import { until } from './wait.mjs';

export const UNEXPECTED_ERROR = 40003;

/** A filter of the fixture whose Error events are told. */
export async function faults(rpc, mediaPipeline, params = {}) {
  const element = await rpc.create('fixturefaults.Faults', { mediaPipeline, ...params });
  await rpc.value('subscribe', { object: element, type: 'Error' });
  return element;
}

export const connect = (rpc, source, sink) => rpc.invoke(source, 'connect', { sink });
export const processOf = (rpc, element) => rpc.invoke(element, 'getProcess');

/** Whether a process runs; one that only waits for its parent does not. */
export function runs(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return !/\) [ZX] /.test(stat);
  } catch {
    return false;
  }
}

/** The `Error` event of an element whose process is gone. */
export async function goneEvent(rpc, element) {
  const isTold = ({ type, object, data }) => type === 'Error' && object === element && data.description.includes('is gone');
  const event = await until(() => rpc.events.find(isTold), `Error event of ${element}`);
  assert.equal(event.data.errorCode, UNEXPECTED_ERROR);
  assert.equal(event.data.type, 'UNEXPECTED_ELEMENT_ERROR');
  return event.data.description;
}

/** A call of an element whose process is gone says so. */
export async function isGone(rpc, element) {
  const { error } = await rpc.request('invoke', { object: element, operation: 'getReceived' });
  assert.equal(error?.code, UNEXPECTED_ERROR);
  assert.match(error.message, /is gone: .*create it anew/);
}

/** Waits until a filter has got so many packets. */
export async function received(rpc, element, count) {
  await until(async () => (await rpc.invoke(element, 'getReceived')) >= count, `${count} packets`);
  assert.equal(await rpc.invoke(element, 'getReceived'), count);
}
