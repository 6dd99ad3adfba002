import { connectToServer, openPipeline } from '../common/call.js';
import { takePart } from '../common/composite.js';
import { board } from '../common/notice.js';
import { showState } from '../common/page.js';
import { Run } from '../common/run.js';

const element = (id) => document.querySelector(`#${id}`);
const SIZE = { width: 800, height: 600, framerate: 25 };
const call = board('/group-call/call', 'Somebody else has just begun the call. Join again.');

/** Joins the call, which begins with the first who does. */
async function join(cleanup, fail) {
  showState('working', 'Connecting to the server…');
  const id = await call.current();
  const { pipeline, composite, client } = await (id ? find(id) : begin(cleanup));
  let made = [];
  // The pipeline belongs to the page that began the call, and goes on without this one.
  if (client) cleanup.add(() => Promise.allSettled(made.map((object) => object.release())).then(() => client.close()));
  const mine = { screen: element('screen'), facts: element('facts'), label: element('name').value };
  made = (await takePart(pipeline, composite, mine, cleanup, fail, () => showState('live', 'You are in the call'))) ?? [];
  if (!client && !cleanup.over) await call.announce(composite.id, cleanup, fail);
}

async function begin(cleanup) {
  const pipeline = await openPipeline(cleanup);
  return { pipeline, composite: await pipeline.create('Composite', SIZE) };
}

async function find(id) {
  const client = await connectToServer();
  const composite = await client.getMediaobjectById(id);
  return { pipeline: await composite.getMediaPipeline(), composite, client };
}

const run = new Run((isRunning) => {
  for (const id of ['join', 'name']) element(id).disabled = isRunning;
  element('leave').disabled = !isRunning;
});
element('join').addEventListener('click', () => run.start(join));
element('leave').addEventListener('click', () => run.stop());
