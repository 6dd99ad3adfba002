// What a module tells about itself without being run, changed byte by byte.

const MAGIC = Buffer.from('RIVEROM\x01', 'latin1');

/** Places in a library where a `.rivero.module` section begins: the magic, then JSON 16 bytes on. */
function sections(library) {
  const found = [];
  for (let at = library.indexOf(MAGIC); at >= 0; at = library.indexOf(MAGIC, at + 1)) {
    if (library[at + 16] === '{'.charCodeAt(0)) found.push(at);
  }
  if (found.length === 0) throw new Error('the library has no module section');
  return found;
}

function changed(library, change) {
  const copy = Buffer.from(library);
  for (const at of sections(copy)) change(copy, at);
  return copy;
}

/** The library as if it had been built for another version of the ABI. */
export function withAbi(library, major, minor) {
  return changed(library, (copy, at) => {
    copy.writeUInt16LE(major, at + 8);
    copy.writeUInt16LE(minor, at + 10);
  });
}

/** The library with a section that does not begin as it should. */
export function withoutMagic(library) {
  return changed(library, (copy, at) => copy.fill(0, at, at + MAGIC.length));
}

/** The library with a section that claims to be longer than it is. */
export function withCutSection(library) {
  return changed(library, (copy, at) => copy.writeUInt32LE(0xffff_ffff, at + 12));
}

/** The library with a manifest that is no JSON. */
export function withoutManifest(library) {
  return changed(library, (copy, at) => copy.write('?', at + 16));
}
