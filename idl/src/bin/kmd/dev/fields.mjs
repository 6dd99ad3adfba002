// Fields for values of the types of a descriptor.

const NUMBERS = ['int', 'int64', 'float', 'double'];
const isWhole = (type) => type.name.startsWith('int');

/** A field with its label in `form`; `onChange(value)` may refuse by throwing, which is said beside it. Gives `show(value)`. */
export function field(form, { name, doc = '', type }, value, onChange) {
  const label = Object.assign(document.createElement('label'), { textContent: name, title: doc });
  const [input, further] = inputs(type, value);
  const trouble = Object.assign(document.createElement('span'), { className: 'trouble' });
  input.name = name;
  const change = async (from) => {
    try {
      const changed = read(type, from);
      show(changed);
      await onChange(changed);
      trouble.textContent = '';
    } catch (error) {
      trouble.textContent = error.message;
    }
  };
  const show = (shown) => {
    for (const element of [input, further].filter((element) => element && element !== document.activeElement)) write(type, element, shown);
  };
  for (const element of [input, further]) element?.addEventListener(eventOf(type), () => change(element));
  label.htmlFor = input.id = `${form.id}-${name}`;
  further?.setAttribute('aria-label', name);
  form.append(label, input, further ?? document.createElement('span'), trouble);
  show(value);
  return show;
}

/** Somewhere to show a value that changes by itself. Gives `show(value)`. */
export function display(form, { name, doc = '' }) {
  const label = Object.assign(document.createElement('label'), { textContent: name, title: doc });
  const output = document.createElement('output');
  output.dataset.name = name;
  form.append(label, output, document.createElement('span'), document.createElement('span'));
  return (value) => (output.textContent = typeof value === 'string' ? value : JSON.stringify(value));
}

const eventOf = (type) => (NUMBERS.includes(type.name) ? 'input' : 'change');

function inputs(type, value) {
  if (type.values) {
    const select = document.createElement('select');
    select.append(...type.values.map((text) => new Option(text)));
    return [select];
  }
  if (type.name === 'boolean') return [make('checkbox')];
  if (type.name === 'String') return [make('text')];
  if (!NUMBERS.includes(type.name)) return [document.createElement('textarea')];
  // Descriptors say no bounds: the slider has the usual ones, the number beside it has none. What the module refuses is said.
  const most = Math.max(isWhole(type) || Math.abs(value) > 1 ? 100 : 1, 2 * Math.abs(value ?? 0));
  const [slider, number] = [make('range'), make('number')];
  Object.assign(slider, { min: value < 0 ? -most : 0, max: most, step: isWhole(type) ? 1 : most / 1000 });
  number.step = isWhole(type) ? 1 : 'any';
  return [slider, number];
}

const make = (type) => Object.assign(document.createElement('input'), { type });

function read(type, input) {
  if (type.name === 'boolean') return input.checked;
  if (type.name === 'String' || type.values) return input.value;
  if (!NUMBERS.includes(type.name)) return JSON.parse(input.value);
  if (input.value === '') throw new Error('a number is missing');
  return Number(input.value);
}

function write(type, input, value) {
  if (type.name === 'boolean') input.checked = value === true;
  else if (type.name === 'String' || type.values || NUMBERS.includes(type.name)) input.value = value ?? '';
  else input.value = JSON.stringify(value ?? null);
}
