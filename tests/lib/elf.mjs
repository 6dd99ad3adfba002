// Libraries changed byte by byte: what a module tells about itself without being run, and
// the headers around it. 64-bit little-endian ELF, as System V's ABI has it.

const MAGIC = Buffer.from('RIVEROM\x02', 'latin1');
const SECTION = '.rivero.module';
const HEADER = 20;
/** Offsets in it, after the magic. */
const AT = { major: 8, minor: 10, flags: 12, length: 16 };
/** The flag of modules whose panics unwind. */
const UNWINDS = 1;

/** Offsets in the ELF header. */
const E = { type: 16, machine: 18, shoff: 40, shentsize: 58, shnum: 60, shstrndx: 62 };
/** Offsets in a section header. */
const SH = { name: 0, type: 4, offset: 24, size: 32 };
const SECTION_HEADER = 64;

function copied(library, change) {
  const copy = Buffer.from(library);
  change(copy);
  return copy;
}

/** Where the header of the module's section is, and where its data are. */
function sectionOf(library) {
  const at = (index) => Number(library.readBigUInt64LE(E.shoff)) + index * SECTION_HEADER;
  const offset = (header) => Number(library.readBigUInt64LE(header + SH.offset));
  const names = offset(at(library.readUInt16LE(E.shstrndx)));
  for (let index = 0; index < library.readUInt16LE(E.shnum); index += 1) {
    const header = at(index);
    const name = names + library.readUInt32LE(header + SH.name);
    if (library.toString('latin1', name, name + SECTION.length + 1) === `${SECTION}\0`) {
      return { header, offset: offset(header), size: Number(library.readBigUInt64LE(header + SH.size)) };
    }
  }
  throw new Error('the library has no module section');
}

/** The library with bytes of its ELF header changed: `{offset: byte}`. */
export function withHeaderBytes(library, bytes) {
  return copied(library, (copy) => Object.entries(bytes).forEach(([at, byte]) => (copy[at] = byte)));
}

/** The library as if it had been built for another processor (`e_machine`). */
export const forMachine = (library, machine) => copied(library, (copy) => copy.writeUInt16LE(machine, E.machine));

/** The library as another kind of file (`e_type`). */
export const ofType = (library, type) => copied(library, (copy) => copy.writeUInt16LE(type, E.type));

/** The library with its table of sections somewhere else. */
export const withSectionTableAt = (library, offset) => copied(library, (copy) => copy.writeBigUInt64LE(BigInt(offset), E.shoff));

/** The library with another number of sections in its header. */
export const withSectionCount = (library, count) => copied(library, (copy) => copy.writeUInt16LE(count, E.shnum));

/** The library with the names of its sections in another section. */
export const withNamesIn = (library, index) => copied(library, (copy) => copy.writeUInt16LE(index, E.shstrndx));

/** The library with a module section that claims to lie elsewhere, or to be of another size or type. */
export function withSectionHeader(library, { offset, size, type }) {
  return copied(library, (copy) => {
    const { header } = sectionOf(copy);
    if (offset !== undefined) copy.writeBigUInt64LE(BigInt(offset), header + SH.offset);
    if (size !== undefined) copy.writeBigUInt64LE(BigInt(size), header + SH.size);
    if (type !== undefined) copy.writeUInt32LE(type, header + SH.type);
  });
}

/** The library with a second section of the module's name. */
export function withSecondSection(library) {
  return copied(library, (copy) => {
    const { header } = sectionOf(copy);
    const other = header + SECTION_HEADER;
    copy.writeUInt32LE(copy.readUInt32LE(header + SH.name), other + SH.name);
  });
}

function changed(library, change) {
  return copied(library, (copy) => change(copy, sectionOf(copy).offset));
}

/** The library as if it had been built for another version of the ABI. */
export function withAbi(library, major, minor) {
  return changed(library, (copy, at) => {
    copy.writeUInt16LE(major, at + AT.major);
    copy.writeUInt16LE(minor, at + AT.minor);
  });
}

/** The library with a section that does not begin as it should. */
export const withoutMagic = (library) => changed(library, (copy, at) => copy.fill(0, at, at + MAGIC.length));

/** The library with a section that claims to be longer than it is. */
export const withCutSection = (library) => changed(library, (copy, at) => copy.writeUInt32LE(0xffff_ffff, at + AT.length));

/** The library as if a panic in it ended the process. */
export const aborting = (library) => changed(library, (copy, at) => copy.writeUInt32LE(0, at + AT.flags));

/** The library with a section as they were before there were flags. */
export const withoutFlags = (library) => changed(library, (copy, at) => copy.writeUInt8(1, at + MAGIC.length - 1));

/** The library with a manifest that is no JSON. */
export const withoutManifest = (library) => changed(library, (copy, at) => copy.write('?', at + HEADER));

/** What the library says of itself. */
export function manifestOf(library) {
  const { offset } = sectionOf(library);
  return JSON.parse(library.toString('utf8', offset + HEADER, offset + HEADER + library.readUInt32LE(offset + AT.length)));
}

/** The library with this manifest, an object or bytes, in a section of its own at the end of the file. */
export function withManifest(library, manifest) {
  const text = Buffer.isBuffer(manifest) ? manifest : Buffer.from(JSON.stringify(manifest));
  const { offset } = sectionOf(library);
  const head = Buffer.from(library.subarray(offset, offset + HEADER));
  head.writeUInt32LE(text.length, AT.length);
  const moved = withSectionHeader(library, { offset: library.length, size: HEADER + text.length });
  return Buffer.concat([moved, head, text]);
}

/** The bytes of a section with this manifest, for a library that is built around it. */
export function sectionBytes(manifest, { major = 2, minor = 0 } = {}) {
  const text = Buffer.from(JSON.stringify(manifest));
  const head = Buffer.alloc(HEADER);
  MAGIC.copy(head);
  head.writeUInt16LE(major, AT.major);
  head.writeUInt16LE(minor, AT.minor);
  head.writeUInt32LE(UNWINDS, AT.flags);
  head.writeUInt32LE(text.length, AT.length);
  return Buffer.concat([head, text]);
}

/** An ELF header and nothing else. `bits` is 32 or 64, `order` 'LE' or 'BE'. */
export function elfHeader({ bits, order, machine }) {
  const header = Buffer.alloc(bits === 64 ? 64 : 52);
  header.set([0x7f, 0x45, 0x4c, 0x46, bits === 64 ? 2 : 1, order === 'LE' ? 1 : 2, 1]);
  header[`writeUInt16${order}`](3, E.type);
  header[`writeUInt16${order}`](machine, E.machine);
  header[`writeUInt32${order}`](1, 20);
  header[`writeUInt16${order}`](header.length, bits === 64 ? 52 : 40);
  return header;
}
