// An object of every class that a server can create.

import { fitting } from './values.mjs';

/** URIs of classes that take no others. */
const URIS = { RtmpPlayer: 'rtmp://127.0.0.1:9/live/nobody', RtmpPublisher: 'rtmp://127.0.0.1:9/live/nobody' };

/**
 * Creates one object of every class, all in one pipeline; resolves to a Map from
 * class to id. Ports are left out where no hub is installed.
 */
export async function createOneOfEach(rpc, model, dice, text) {
  const made = new Map();
  const object = (name) => objectOf(model, made, name);
  for (const type of inOrder(model)) {
    const params = model.class(type).params.filter(({ optional }) => !optional);
    const needsHub = params.some((param) => param.type === 'Hub');
    if (needsHub && ![...made.keys()].some((other) => model.isA(other, 'Hub'))) continue;
    const sources = { object, text: (parameter) => (parameter === 'uri' && URIS[type]) || text(parameter) };
    const given = params.map((param) => [param.name, fitting(model, param.type, dice, sources, param.name)]);
    made.set(type, await rpc.create(type, Object.fromEntries(given)));
  }
  return made;
}

/** The first object that is a `className`. */
export function objectOf(model, made, className) {
  return [...made].find(([type]) => model.isA(type, className))[1];
}

/** Pipelines first, then what they contain, then the ports of hubs. */
function inOrder(model) {
  const rank = (type) => {
    const parameters = model.class(type).params.map(({ type: of }) => of);
    if (parameters.length === 0) return 0;
    return parameters.includes('Hub') ? 2 : 1;
  };
  return [...model.factories].sort((a, b) => rank(a) - rank(b));
}
