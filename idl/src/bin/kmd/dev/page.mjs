// The page of `kmd dev`: media goes to the server, through an object of the module's class, and comes back. With each build there is another
// object, with the properties that the one before had.

import { display, field } from './fields.mjs';
import { measure, open } from './media.mjs';
import { Rpc } from './rpc.mjs';

const MANAGER = 'manager_ServerManager';
const MODULE_EVENTS = ['ModuleAdded', 'ModuleUpgraded', 'ModuleFailed'];
const EVENTS_SHOWN = 100;
const at = (id) => document.getElementById(id);

const audio = new AudioContext();
// Browsers let a page be heard once somebody has touched it.
addEventListener('pointerdown', () => audio.resume());

let rpc, module, call, object;
/** What somebody has chosen, by class: `parameters` and `properties`. */
const chosen = {};
/** To be ended when the object goes. */
let readings;

/** One change after the other: a build may come while the one before is still taken up. */
let turn = Promise.resolve();
function inTurn(action) {
  turn = turn.then(action).catch((error) => trouble(error.message));
  return turn;
}

function trouble(text) {
  at('trouble').hidden = !text;
  at('trouble').textContent = text ?? '';
}

function say(state, text = state) {
  at('state').dataset.state = state;
  at('state').textContent = text;
}

const described = () => module.classes.find(({ name }) => name === at('class').value);

// --- The call -------------------------------------------------------------

/** Sends media to the server and shows what comes back. */
async function openCall() {
  await closeCall();
  const source = await open(at('source').value, { audio, file: at('file').files[0] });
  const pipeline = await rpc.create('MediaPipeline', {});
  const endpoint = await rpc.create('WebRtcEndpoint', { mediaPipeline: pipeline });
  const peer = new RTCPeerConnection();
  const back = new MediaStream();
  call = { source, pipeline, endpoint, peer, meters: [measure(audio, source.stream, at('loudness-before'))] };
  at('before').srcObject = source.stream;
  at('after').srcObject = back;
  for (const track of source.stream.getTracks()) peer.addTrack(track, source.stream);
  peer.ontrack = ({ track }) => {
    back.addTrack(track);
    if (track.kind === 'audio') call?.meters.push(measure(audio, back, at('loudness-after')));
  };
  peer.onicecandidate = ({ candidate }) => {
    if (candidate) rpc.invoke(endpoint, 'addIceCandidate', { candidate: { candidate: candidate.candidate, sdpMid: candidate.sdpMid ?? '', sdpMLineIndex: candidate.sdpMLineIndex } }).catch(() => {});
  };
  call.onCandidate = (candidate) => peer.addIceCandidate(candidate).catch(() => {});
  await rpc.subscribe(endpoint, 'IceCandidateFound');
  await peer.setLocalDescription();
  const answer = await rpc.invoke(endpoint, 'processOffer', { offer: peer.localDescription.sdp });
  await peer.setRemoteDescription({ type: 'answer', sdp: answer });
  await rpc.invoke(endpoint, 'gatherCandidates');
  await makeObject();
}

async function closeCall() {
  if (!call) return;
  const { source, pipeline, peer, meters } = call;
  call = object = undefined;
  clearInterval(readings);
  peer.close();
  source.stop();
  meters.forEach((stop) => stop());
  await rpc.release(pipeline).catch(() => {});
}

// --- The object -----------------------------------------------------------

function choices() {
  const type = described();
  return (chosen[type.name] ??= { parameters: {}, properties: {} });
}

/** Plain values of what has to be given. */
function required({ type, default: value }) {
  if (value !== undefined && value !== null) return value;
  if (type.values) return type.values[0];
  return { String: '', boolean: false, int: 0, int64: 0, float: 0, double: 0 }[type.name] ?? (type.name.endsWith('[]') ? [] : {});
}

/** Makes an object of the latest build and puts it in place of the one before. */
async function makeObject() {
  const type = described();
  if (!type || !call) return;
  const { parameters, properties } = choices();
  const constructorParams = { mediaPipeline: call.pipeline };
  for (const parameter of type.parameters) {
    const value = properties[parameter.name] ?? parameters[parameter.name] ?? (parameter.isOptional ? undefined : required(parameter));
    if (value !== undefined) constructorParams[parameter.name] = value;
  }
  const made = { id: await rpc.create(type.name, constructorParams), type };
  for (const event of [...type.events, 'Error']) await rpc.subscribe(made.id, event);
  const names = type.parameters.map(({ name }) => name);
  for (const [name, value] of Object.entries(properties)) {
    const property = type.properties.find((known) => known.name === name && known.isWritable);
    if (property && !names.includes(name)) await set(made.id, name, value).catch((error) => trouble(`${name}: ${error.message}`));
  }
  await connect(made);
  const before = object;
  object = made;
  if (before) await rpc.release(before.id).catch(() => {});
  await showFields();
}

async function connect(made) {
  let [into, out] = [made.id, made.id];
  if (made.type.isHub) {
    const port = () => rpc.create('HubPort', { hub: made.id });
    [into, out] = [await port(), await port()];
  }
  await rpc.invoke(call.endpoint, 'connect', { sink: into });
  await rpc.invoke(out, 'connect', { sink: call.endpoint });
}

const capitalised = (name) => name[0].toUpperCase() + name.slice(1);
const get = (id, name) => rpc.invoke(id, `get${capitalised(name)}`);
const set = (id, name, value) => rpc.invoke(id, `set${capitalised(name)}`, { [name]: value });

async function showFields() {
  const { id, type } = object;
  const form = at('properties');
  form.replaceChildren();
  at('parameters').replaceChildren();
  clearInterval(readings);
  const shown = [];
  for (const property of type.properties) {
    const value = await get(id, property.name).catch(() => undefined);
    if (!property.isWritable) {
      const show = display(form, property);
      show(value);
      shown.push({ name: property.name, show });
      continue;
    }
    field(form, property, value, async (changed) => {
      await set(object.id, property.name, changed);
      choices().properties[property.name] = changed;
    });
  }
  for (const parameter of type.parameters.filter(({ name }) => !type.properties.some((property) => property.name === name))) {
    const value = choices().parameters[parameter.name] ?? required(parameter);
    field(at('parameters'), parameter, value, async (changed) => {
      choices().parameters[parameter.name] = changed;
      await inTurn(makeObject);
    });
  }
  readings = setInterval(async () => {
    for (const { name, show } of shown) await get(id, name).then(show, () => {});
  }, 1000);
}

// --- News -----------------------------------------------------------------

function onEvent({ object: source, type, data }) {
  if (type === 'IceCandidateFound') return call?.onCandidate(data.candidate);
  if (source === MANAGER) {
    // Whatever its name: it is the file that this build was copied to.
    if (data.file !== module?.file) return;
    if (type === 'ModuleFailed') return trouble(data.reason ?? data.error ?? JSON.stringify(data));
    return inTurn(async () => {
      trouble();
      await (call ? makeObject() : openCall());
      at('state').dataset.generation = data.generation;
    });
  }
  const line = document.createElement('li');
  line.textContent = `${type} ${JSON.stringify(data)}`;
  at('events').prepend(line);
  while (at('events').children.length > EVENTS_SHOWN) at('events').lastChild.remove();
}

async function connectTo(url) {
  if (rpc) return;
  rpc = await Rpc.connect(url, onEvent, () => {
    rpc = call = object = undefined;
    say('failed', 'the server has gone');
  });
  for (const type of MODULE_EVENTS) await rpc.subscribe(MANAGER, type);
}

function offer(described) {
  const known = module?.classes.map(({ name }) => name).join();
  module = described;
  at('module').textContent = `${module.name} ${module.version}`;
  if (known === module.classes.map(({ name }) => name).join()) return;
  at('class').replaceChildren(...module.classes.map(({ name }) => new Option(name)));
}

/** The server may have the module by now, or tell when it has. */
async function begin() {
  if (call) return;
  if (module.classes.length === 0) throw new Error('the module has no class to look at');
  await openCall().catch(async (error) => {
    await closeCall();
    // 40108: not installed, which it will be within seconds.
    if (error.code !== 40108) throw error;
  });
}

async function follow() {
  let number = 0;
  for (;;) {
    const news = await fetch(`/state?after=${number}`).then((response) => response.json());
    if (news.number === number) continue;
    ({ number } = news);
    say(news.state, { building: 'building …', failed: 'not built', refused: 'not taken', ready: `build ${news.builds}` }[news.state]);
    if (news.state !== 'building') trouble(news.text);
    if (news.module) {
      await inTurn(async () => {
        await connectTo(news.url);
        offer(news.module);
        await begin();
      });
    }
  }
}

at('class').onchange = () => inTurn(makeObject);
at('source').onchange = () => {
  at('file').hidden = at('source').value !== 'film';
  if (at('source').value !== 'film') inTurn(openCall);
};
at('file').onchange = () => inTurn(openCall);
at('audible').onchange = () => (at('after').muted = !at('audible').checked);
follow().catch(() => say('failed', 'kmd dev has ended'));
