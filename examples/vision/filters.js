// The filters that see, each with what the page says of it and how it is set up. kurento-client has no classes for their
// modules: here is what its generator would make of their descriptors, as far as the page needs it.

import { invoke } from '../common/call.js';

const Filter = kurentoClient.register.abstracts['kurento.Filter'];
const mediaPipeline = { type: 'kurento.MediaPipeline', required: true };

/** Registers a class; its methods are called with the names of their parameters, which stand in their order in `methods`. */
function register(name, { params = {}, methods = {}, events = [] }) {
  class Class extends Filter {
    static constructorParams = { mediaPipeline, ...params };
    static events = [...Filter.events, ...events];
  }
  // The client copies what can be enumerated, which a class's own methods cannot.
  for (const [method, names] of Object.entries(methods)) {
    Class.prototype[method] = function (...values) {
      const callback = typeof values.at(-1) === 'function' ? values.pop() : undefined;
      return this._invoke(undefined, method, Object.fromEntries(names.map((key, index) => [key, values[index]])), callback);
    };
  }
  kurentoClient.register(name, Class);
}

const any = { type: 'Object', required: true };
register('chroma.ChromaFilter', { params: { window: any, backgroundImage: { type: 'String' } }, methods: { setBackground: ['uri'], unsetBackground: [] } });
register('pointerdetector.PointerDetectorFilter', {
  params: { calibrationRegion: any, windows: { type: 'Object', isArray: true } },
  methods: { addWindow: ['window'], clearWindows: [], removeWindow: ['windowId'], trackColorFromCalibrationRegion: [] },
  events: ['WindowIn', 'WindowOut'],
});
register('crowddetector.CrowdDetectorFilter', {
  params: { rois: { type: 'Object', isArray: true, required: true } },
  events: ['CrowdDetectorOccupancy', 'CrowdDetectorFluidity', 'CrowdDetectorDirection'],
});
register('markerdetector.ArMarkerdetector', {
  methods: { setOverlayImage: ['overlayImage'], setOverlayText: ['overlayText'], setOverlayScale: ['overlayScale'], setShowDebugLevel: ['showDebugLevel'] },
  events: ['MarkerCount'],
});
register('platedetector.PlateDetectorFilter', { methods: { setPlateWidthPercentage: ['plateWidthPercentage'] }, events: ['PlateDetected'] });

const CORNER = { topRightCornerX: 5, topRightCornerY: 5, width: 50, height: 50 };
const WINDOWS = [['upper', 100], ['lower', 300]].map(([id, upperRightY]) => ({ id, width: 100, height: 100, upperRightX: 500, upperRightY }));
/** All of the picture but its edges. */
const REGION = {
  id: 'middle',
  points: [[0.05, 0.05], [0.95, 0.05], [0.95, 0.95], [0.05, 0.95]].map(([x, y]) => ({ x, y })),
  regionOfInterestConfig: {
    occupancyLevelMin: 10,
    occupancyLevelMed: 35,
    occupancyLevelMax: 65,
    occupancyNumFramesToEvent: 5,
    fluidityLevelMin: 10,
    fluidityLevelMed: 35,
    fluidityLevelMax: 65,
    fluidityNumFramesToEvent: 5,
    sendOpticalFlowEvent: false,
    opticalFlowNumFramesToEvent: 3,
    opticalFlowNumFramesToReset: 3,
    opticalFlowAngleOffset: 0,
  },
};

/** `create(pipeline)` makes the filter; `events` say what is told of each; `act` is what a button does, if there is one. */
export const FILTERS = {
  chroma: {
    title: 'Chroma',
    about: 'The server shows another background where your camera sees one colour. Hold a sheet of that colour into the upper left corner for the first seconds.',
    create: (pipeline) => {
      const backgroundImage = new URL('beach.svg', location.href).href;
      return pipeline.create('chroma.ChromaFilter', { window: CORNER, backgroundImage });
    },
    events: {},
  },
  pointer: {
    title: 'Pointer',
    about: 'The server follows an object by its colour. Hold it into the square in the upper left corner, choose Calibrate, and move it into the windows.',
    create: (pipeline) => pipeline.create('pointerdetector.PointerDetectorFilter', { calibrationRegion: CORNER, windows: WINDOWS }),
    events: {
      WindowIn: ({ windowId }) => `The pointer is in the ${windowId} window`,
      WindowOut: ({ windowId }) => `The pointer has left the ${windowId} window`,
    },
    act: ['Calibrate', (filter) => invoke(filter, 'trackColorFromCalibrationRegion')],
  },
  crowd: {
    title: 'Crowd',
    about: 'The server tells how full the picture is, and how much of it moves.',
    create: (pipeline) => pipeline.create('crowddetector.CrowdDetectorFilter', { rois: [REGION] }),
    events: {
      CrowdDetectorOccupancy: ({ occupancyLevel, occupancyPercentage }) => `Occupied: level ${occupancyLevel}, ${Math.round(occupancyPercentage)} %`,
      CrowdDetectorFluidity: ({ fluidityLevel, fluidityPercentage }) => `Moving: level ${fluidityLevel}, ${Math.round(fluidityPercentage)} %`,
    },
  },
  marker: {
    title: 'Markers',
    about: 'The server finds printed ArUco markers (4x4 to 7x7 cells), counts them and puts a picture over each.',
    async create(pipeline) {
      const filter = await pipeline.create('markerdetector.ArMarkerdetector');
      await invoke(filter, 'setOverlayImage', new URL('beach.svg', location.href).href);
      return filter;
    },
    events: { MarkerCount: ({ markerId, markerCount }) => `Marker ${markerId}: ${markerCount} in the picture` },
  },
  plate: {
    title: 'Plates',
    about: 'The server reads the number plates that your camera sees, and draws a line around each.',
    create: (pipeline) => pipeline.create('platedetector.PlateDetectorFilter'),
    events: { PlateDetected: ({ plate }) => `Plate ${plate}` },
  },
  code: {
    title: 'Codes',
    about: 'The server reads QR codes and bar codes that your camera sees.',
    create: (pipeline) => pipeline.create('ZBarFilter'),
    events: { CodeFound: ({ codeType, value }) => `${codeType}: ${value}` },
  },
};
