// Values for the types of a descriptor: such as fit, such as do not, and a check
// of what a server sends.

/** What is between `[from, to]` of each integer type. */
const RANGES = { int: [-(2 ** 31), 2 ** 31 - 1], int64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER] };

/** A stream of numbers that is the same for the same seed (Mulberry32). */
export class Dice {
  #state;

  constructor(seed) {
    this.#state = seed >>> 0;
  }

  /** From 0 to 1, 1 excluded. */
  fraction() {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  below(limit) {
    return Math.floor(this.fraction() * limit);
  }

  chance(probability) {
    return this.fraction() < probability;
  }

  pick(items) {
    return items[this.below(items.length)];
  }
}

function nested(depth) {
  let value = [];
  for (let level = 0; level < depth; level++) value = level % 2 ? [value] : { a: value };
  return value;
}

/** Values that hardly any parameter takes. */
export const ODDITIES = [
  null, true, false, 0, -1, 1, 1.9, -0.5, 2 ** 31 - 1, 2 ** 31, -(2 ** 31) - 1, 2 ** 53, 2 ** 63, 2 ** 64, 1e308, -1e308, 5e-324,
  '', ' ', 'x', 'true', '5', 'null', 'newref:0', 'newref:-1', 'newref:99999999999999999999', 'manager_ServerManager', '\u0000', '\u{1f600}\ufffe',
  '%s%n', '../../..', 'é'.repeat(5_000), 'v=0\r\n', [], {}, [null], [[], {}], { __type__: 'Nonsense' }, { __type__: 5, __module__: [] },
  { a: { b: [null, { c: 'd' }] } }, nested(50),
];

/**
 * A value that fits the type `name`.
 *
 * - `object(className)`: the id of an object of that class.
 * - `text(parameter)`: a text for the parameter or field of this name.
 */
export function fitting(model, name, dice, sources, parameter = '', depth = 0) {
  const again = (type, field) => fitting(model, type, dice, sources, field, depth + 1);
  const type = model.type(name);
  switch (type.kind) {
    case 'String':
      return sources.text(parameter);
    case 'boolean':
      return dice.chance(0.5);
    case 'int':
    case 'int64':
      return dice.below(100);
    case 'float':
    case 'double':
      return dice.fraction();
    case 'class':
      return sources.object(type.name);
    case 'enum':
      return dice.pick(type.values);
    case 'list':
      return depth > 3 ? [] : Array.from({ length: 1 + dice.below(2) }, () => again(type.item, parameter));
    case 'map':
      return depth > 3 ? {} : Object.fromEntries([['key', again(type.item, parameter)]]);
    case 'register':
      return Object.fromEntries(type.fields.map((field) => [field.name, again(field.type, field.name)]));
    default:
      throw new Error(`the descriptors do not say what ${name} is`);
  }
}

/** Why `value` is not what a server may send for the type `name`; undefined when it is. */
export function misfit(model, name, value, path = 'value') {
  const type = model.type(name);
  const wrong = (is = true) => (is ? `${path} is no ${name}: ${JSON.stringify(value)?.slice(0, 200)}` : undefined);
  const first = (found) => found.find((problem) => problem !== undefined);
  switch (type.kind) {
    case 'String':
    case 'class':
      return wrong(typeof value !== 'string');
    case 'boolean':
      return wrong(typeof value !== 'boolean');
    case 'int':
    case 'int64': {
      const [from, to] = RANGES[type.kind];
      return wrong(!Number.isInteger(value) || value < from || value > to);
    }
    case 'float':
      return wrong(typeof value !== 'number' || Math.fround(value) !== value);
    case 'double':
      return wrong(typeof value !== 'number');
    case 'enum':
      return wrong(!type.values.includes(value));
    case 'list':
      return Array.isArray(value) ? first(value.map((item, index) => misfit(model, type.item, item, `${path}[${index}]`))) : wrong();
    case 'map':
      return isObject(value) ? first(Object.entries(value).map(([key, item]) => misfit(model, type.item, item, `${path}.${key}`))) : wrong();
    case 'register':
      return registerMisfit(model, type, value, path) ?? undefined;
    default:
      throw new Error(`the descriptors do not say what ${name} is`);
  }
}

function registerMisfit(model, type, value, path) {
  if (!isObject(value)) return `${path} is no ${type.name}: ${JSON.stringify(value)?.slice(0, 200)}`;
  const { __type__: given, __module__: namespace } = value;
  if (typeof given !== 'string' || typeof namespace !== 'string') return `${path} lacks __type__ or __module__`;
  if (!model.extendsType(given, type.name)) return `${path} is a ${given}, not a ${type.name}`;
  for (const field of model.type(given).fields) {
    const inner = value[field.name];
    if (inner === undefined || inner === null) {
      // Java's client takes null for what is an object, and nothing but a value for a primitive type.
      if (field.optional || model.type(field.type).kind === 'class') continue;
      return `${path}.${field.name} is missing`;
    }
    const problem = misfit(model, field.type, inner, `${path}.${field.name}`);
    if (problem) return problem;
  }
  return undefined;
}

function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
