// What a server offers, read from the server itself: `getInfo` names the modules
// and the classes that can be created, `getKmd` describes them. Tests that go
// through "every class" thereby cover modules that do not exist yet.

export const MANAGER = 'manager_ServerManager';

export async function readModel(rpc) {
  const { modules } = await rpc.invoke(MANAGER, 'getInfo');
  const descriptors = [];
  for (const { name } of modules) descriptors.push(JSON.parse(await rpc.invoke(MANAGER, 'getKmd', { moduleName: name })));
  return new Model(descriptors, modules.flatMap(({ factories }) => factories));
}

export class Model {
  #classes;
  #types;

  /** `factories`: names of the classes that can be created. */
  constructor(descriptors, factories) {
    const all = (member) => new Map(descriptors.flatMap((descriptor) => (descriptor[member] ?? []).map((item) => [item.name, item])));
    this.#classes = all('remoteClasses');
    this.#types = all('complexTypes');
    this.events = all('events');
    this.factories = factories.filter((name) => this.#classes.has(name));
  }

  /** The definition of a class, complete with what it inherits. */
  class(name) {
    const { constructor, ...own } = this.#classes.get(plain(name));
    const operations = new Map();
    const events = new Set();
    for (const ancestor of this.ancestry(own.name)) {
      for (const operation of operationsOf(this.#classes.get(ancestor))) operations.set(operation.name, operation);
      for (const event of this.#classes.get(ancestor).events ?? []) events.add(plain(event));
    }
    // `constructor` is a member of every JavaScript object; only an object of ours is a definition.
    const made = Object.hasOwn(this.#classes.get(own.name), 'constructor') ? constructor : { params: [] };
    return { name: own.name, abstract: own.abstract ?? false, params: made.params ?? [], operations: [...operations.values()], events: [...events] };
  }

  get classNames() {
    return [...this.#classes.keys()];
  }

  /** The class and what it extends, nearest first. */
  ancestry(name) {
    const names = [];
    for (let current = plain(name); current; current = plain(this.#classes.get(current)?.extends)) names.push(current);
    return names;
  }

  isA(name, ancestor) {
    return this.ancestry(name).includes(plain(ancestor));
  }

  /**
   * A type's name taken apart: `{kind}` is `list` or `map` (with `item`),
   * `class`, `enum` (with `values`), `register` (with `fields`) or the name of a
   * primitive type.
   */
  type(name) {
    if (name.endsWith('[]')) return { kind: 'list', item: name.slice(0, -2) };
    if (name.endsWith('<>')) return { kind: 'map', item: name.slice(0, -2) };
    if (this.#classes.has(plain(name))) return { kind: 'class', name: plain(name) };
    const complex = this.#types.get(plain(name));
    if (!complex) return { kind: name };
    if (complex.typeFormat === 'ENUM') return { kind: 'enum', name: complex.name, values: complex.values };
    return { kind: 'register', name: complex.name, fields: this.#fields(complex) };
  }

  #fields({ extends: base, properties = [] }) {
    const inherited = base ? this.#fields(this.#types.get(plain(base))) : [];
    return [...inherited, ...properties];
  }

  /** All properties of an event, those of its bases first. */
  eventProperties(name) {
    const { extends: base, properties = [] } = this.events.get(plain(name));
    return [...(base ? this.eventProperties(base) : []), ...properties];
  }

  /** Whether the complex type `name` is `ancestor` or extends it. */
  extendsType(name, ancestor) {
    for (let current = plain(name); current; current = plain(this.#types.get(current)?.extends)) {
      if (current === plain(ancestor)) return true;
    }
    return false;
  }
}

/** `kurento.Hub` → `Hub`: names are unique without their namespace. */
function plain(name) {
  return name?.split('.').at(-1);
}

/** Methods, and what properties are called by: `getX`, `setX`. */
function* operationsOf({ methods = [], properties = [] }) {
  for (const { name, params = [], return: result } of methods) yield { name, params, returns: result?.type };
  for (const { name, type, readOnly, final } of properties) {
    const suffix = name[0].toUpperCase() + name.slice(1);
    yield { name: `get${suffix}`, params: [], returns: type };
    if (!readOnly && !final) yield { name: `set${suffix}`, params: [{ name, type }] };
  }
}
