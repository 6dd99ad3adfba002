// An object of every class that a server can create.

import { fitting } from './values.mjs';

const WINDOW = { topRightCornerX: 0, topRightCornerY: 0, width: 10, height: 10 };
const CORNER = [[0, 0], [1, 0], [0, 1]].map(([x, y]) => ({ x, y }));
/** What classes take, by the names of their parameters, where hardly anything else would do. */
const GIVEN = {
  RtmpPlayer: { uri: 'rtmp://127.0.0.1:9/live/nobody' },
  RtmpPublisher: { uri: 'rtmp://127.0.0.1:9/live/nobody' },
  ChromaFilter: { window: WINDOW },
  VideoSampler: { framePeriod: 1000 },
  PointerDetectorFilter: { calibrationRegion: WINDOW },
  CrowdDetectorFilter: { rois: [{ id: 'corner', points: CORNER, regionOfInterestConfig: {} }] },
};

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
    const known = GIVEN[type.split('.').at(-1)] ?? {};
    const given = params.map(({ name, type: of }) => [name, known[name] ?? fitting(model, of, dice, { object, text }, name)]);
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
