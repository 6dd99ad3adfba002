const { checkType, disguise, register, TransactionsManager } = kurentoClient;
const MediaObject = known('kurento.MediaObject');
const BASIC = ['Object', 'String', 'boolean', 'double', 'float', 'int'];
const ComplexType = register.complexTypes['kurento.ComplexType'];

/** A class or register that kurento-client has, or the package of another module. */
function known(qualified, imported) {
  const name = qualified.slice(qualified.indexOf('.') + 1);
  const { classes, abstracts, complexTypes } = register;
  const parts = imported ? [imported, imported.abstracts || {}, imported.complexTypes || {}] : [];
  const found = [classes, abstracts, complexTypes].map((all) => all[qualified]).concat(parts.map((all) => all[name])).find(Boolean);
  if (!found) throw new Error(`${qualified} is not registered in kurento-client: register the package of its module first`);
  return found;
}

/** What the client has waited for is a copy of the object, which only its constructor tells from others. */
function isMediaObject(value) {
  const { constructor } = value;
  return value instanceof MediaObject || constructor === MediaObject || (typeof constructor === 'function' && constructor.prototype instanceof MediaObject);
}

/** The check of an object of the server among a constructor's parameters, which the client writes as they are. */
checkType.$reference = (key, value) => {
  if (typeof value === 'string') return;
  if (typeof value !== 'object' || !isMediaObject(value)) throw checkType.ChecktypeError(key, MediaObject, value);
  if (!(value instanceof MediaObject)) Object.defineProperty(value, 'toJSON', { configurable: true, value: () => value.id });
};

/**
 * `value` with ids in place of the server's objects. Those without an id yet go into `pending`, but for `value` itself: the
 * client waits for that one, and a transaction refers to it.
 */
function serialized(value, pending, nested) {
  if (value === null || typeof value !== 'object') return value;
  if (isMediaObject(value)) {
    if (value.id != null) return value.id;
    if (nested) pending.push(value);
    return value;
  }
  if (Array.isArray(value)) return value.map((item) => serialized(item, pending, true));
  const result = {};
  for (const key in value) if (typeof value[key] !== 'function') result[key] = serialized(value[key], pending, true);
  return result;
}

/** The operation's parameters by name; resolves once every object in them has its id. */
function parameters(names, values) {
  const pending = [];
  const result = {};
  values.forEach((value, index) => {
    if (value === undefined) return;
    const given = serialized(value, pending, false);
    // Whatever has an `id` the client takes for an object, and sends the id alone.
    if (names[index] === 'id') Object.defineProperty(result, 'toJSON', { value: () => ({ ...result, id: given }) });
    else result[names[index]] = given;
  });
  return pending.length ? Promise.all(pending.map((object) => object.then(() => {}))).then(() => parameters(names, values)) : result;
}

/** Ids in an answer as objects; `depth` says how many lists or maps they lie in. */
function described(object, value, depth) {
  if (!value) return value;
  if (depth === 0) return new Promise((resolve, reject) => object.emit('_describe', value, (error, found) => (error ? reject(error) : resolve(found))));
  const keys = Object.keys(value);
  return Promise.all(keys.map((key) => described(object, value[key], depth - 1))).then((found) => {
    const result = Array.isArray(value) ? [] : {};
    keys.forEach((key, index) => (result[key] = found[index]));
    return result;
  });
}

/** The overload that takes this many parameters, the one with the fewest. */
function overloadFor(name, overloads, count) {
  const fitting = overloads.filter(({ params }) => count <= params.length).sort((one, other) => one.params.length - other.params.length);
  if (!fitting.length) throw new SyntaxError(`${name} does not take ${count} parameters`);
  return fitting.find(({ required }) => required <= count) || fitting[0];
}

/** A method that calls `operation`: `([transaction], …parameters, [callback])`. */
function method(Base, name, operation, overloads) {
  return function (...given) {
    const transaction = given[0] instanceof TransactionsManager.Transaction ? given.shift() : undefined;
    const place = given.findIndex((value) => typeof value === 'function');
    const callback = place < 0 ? undefined : given[place];
    if (place >= 0 && given.splice(place).slice(1).some((value) => value !== undefined)) {
      throw new SyntaxError('Nothing can be defined after the callback');
    }
    while (given.length && given[given.length - 1] === undefined) given.pop();
    const { params, returns, inherited } = overloadFor(name, overloads, given.length);
    if (inherited) return Base.prototype[name].apply(this, [transaction, ...given, callback].filter((value) => value !== undefined));

    const invoke = (values) => this._invoke(transaction, operation, given.length ? values : undefined);
    const values = parameters(params, given);
    let promise = values instanceof Promise ? values.then(invoke) : invoke(values);
    if (returns !== undefined) promise = promise.then((value) => described(this, value, returns));
    if (callback) promise = promise.then((value) => callback.call(this, null, value), (error) => callback.call(this, error));
    return disguise(promise, this);
  };
}

/** A class of objects in the server. `refines`: it takes the place of kurento-client's own class, whose objects count as its. */
function mediaClass(name, Base, { constructorParams, events, operations, refines }) {
  const Class = { [name]: class extends Base {} }[name];
  Class.constructorParams = constructorParams;
  Class.events = (Base.events || []).concat(events);
  // The client keeps checks by name, those of strings and numbers among them.
  if (BASIC.includes(name)) Class.check = undefined;
  else if (!refines) {
    Class.check = (key, value) => {
      const { constructor } = value;
      const is = value instanceof Class || constructor === Class || (typeof constructor === 'function' && constructor.prototype instanceof Class);
      if (!is) throw checkType.ChecktypeError(key, Class, value);
    };
  }
  // The client copies what can be enumerated, which the methods of a class cannot.
  for (const member of Object.keys(operations)) {
    const { operation = member, overloads } = operations[member];
    Class.prototype[member] = method(Base, member, operation, overloads);
  }
  return Class;
}

/** A structure, which `new` or a plain call makes of an object with its fields. */
function register_(module, name, Parent, fields) {
  const Register = {
    [name]: function (values) {
      if (!(this instanceof Register)) return new Register(values);
      Parent.call(this, values);
      for (const field of Object.keys(fields)) {
        Object.defineProperty(this, field, { configurable: true, enumerable: true, writable: true, value: (values || {})[field] });
      }
    },
  }[name];
  Object.setPrototypeOf(Register, Parent);
  Register.prototype = Object.create(Parent.prototype, {
    constructor: { value: Register, writable: true, configurable: true },
    // Enumerable, so that the client sends them.
    __module__: { enumerable: true, value: module },
    __type__: { enumerable: true, value: name },
  });
  Register.check = (key, value) => {
    if (typeof value !== 'object' || Array.isArray(value)) throw checkType.ChecktypeError(key, Register, value);
    if (value instanceof ComplexType && !(value instanceof Register)) throw checkType.ChecktypeError(key, Register, value);
    for (const field of Object.keys(fields)) {
      if (fields[field].required && value[field] == null) throw new SyntaxError(`${key}.${field} param is required`);
    }
  };
  return Register;
}

/** The check of a string out of a fixed set. */
function enumeration(values) {
  const check = (key, value) => {
    if (!values.includes(value)) throw new SyntaxError(`${key} param is not one of [${values.join('|')}] (${value})`);
  };
  check.values = values;
  return check;
}
