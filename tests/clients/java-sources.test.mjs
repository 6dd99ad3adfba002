// The Java sources are what Debian's compiler takes, beside stand-ins of the client's own classes.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';

import { HOSTILE, LENS, generate, repository, run, scratch } from './generate.mjs';
import { standIns } from './stand-ins.mjs';

const folder = scratch();
const sources = join(folder, 'src');
const write = (path, text) => {
  mkdirSync(dirname(join(sources, path)), { recursive: true });
  writeFileSync(join(sources, path), text);
};
for (const [path, text] of Object.entries(standIns())) write(path, text);

const plugins = readdirSync(join(repository, 'plugins')).map((module) => join(repository, 'plugins', module));
const descriptors = plugins.flatMap((module) => readdirSync(module).filter((file) => file.endsWith('.kmd.json')).map((file) => join(module, file)));

/** What the compiler says of all sources; nothing is as it should be. */
function compile() {
  const files = readdirSync(sources, { recursive: true }).filter((file) => file.endsWith('.java'));
  const args = ['-encoding', 'US-ASCII', '-Xlint:all', '-Werror', '-d', join(folder, 'classes'), ...files];
  const { status, stdout, stderr, error } = spawnSync('javac', args, { cwd: sources, encoding: 'utf8' });
  return { status, said: `${error ?? ''}${stdout}${stderr}` };
}

test('sources of every descriptor compile, and an application that uses them', () => {
  generate('java', [LENS, HOSTILE, ...descriptors], sources);
  write('app/App.java', `package app;
    import org.kurento.client.*;
    import org.kurento.module.lens.*;
    class App {
      static float use(MediaPipeline pipeline, Transaction tx, Continuation<Float> cont) {
        Lens lens = new Lens.Builder(pipeline).withSize(3).withMode(Mode.OPEN).withPoints(java.util.List.of(new Point(1f, 2f))).build();
        Marker marker = new Marker(1f, 2f, Mode.closed);
        marker.setLabel("here");
        lens.addSeenListener(event -> event.getMarker().getType().name());
        ListenerSubscription subscription = lens.addLostListener(event -> event.getType());
        lens.removeLostListener(subscription);
        lens.focus();
        lens.focus(marker, 1f, cont);
        TFuture<Float> later = lens.focus(tx, marker);
        lens.setMatch(!lens.getMatch());
        lens.setMatch(true, tx);
        Long serial = lens.getSerial();
        org.kurento.module.native_.Promise other = new org.kurento.module.native_.Promise.Builder(pipeline, "x").quiet().withClass(new org.kurento.module.native_.Record("x", 1)).build();
        int sum = other.overloaded(1) + other.overloaded(1, 2);
        return lens.focus(marker, serial, Mode.HALF_OPEN) + sum + later.get();
      }
    }`);
  const { status, said } = compile();
  assert.deepEqual([status, said], [0, '']);
});

test('what the client looks for by name is where it looks', () => {
  const info = readFileSync(join(sources, 'org/kurento/module/LensModuleInfo.java'), 'utf8');
  assert.match(info, /return "org\.kurento\.module\.lens";/);
  const register = readFileSync(join(sources, 'org/kurento/module/lens/Point.java'), 'utf8');
  assert.match(register, /@org\.kurento\.client\.internal\.ModuleName\("lens"\)\npublic class Point \{/);
});

test('what Java cannot say is told', () => {
  const { status, stderr } = run('gen', 'java', HOSTILE, '--output', join(folder, 'told'));
  assert.equal(status, 0);
  for (const name of ['default', 'new', 'notify', 'toString', 'getClass', 'release']) assert.match(stderr, new RegExp(`warning: Promise\\.${name}: `), name);
  assert.match(stderr, /Builder: no Java builder/);
});
