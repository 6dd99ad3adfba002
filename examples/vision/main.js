import { offerLoopback } from '../common/loopback.js';
import { FILTERS } from './filters.js';

const element = (id) => document.querySelector(`#${id}`);
const LINES = 8;

const filter = FILTERS[new URLSearchParams(location.search).get('filter')] ?? FILTERS.code;
document.title = `${filter.title} – Rivero`;
element('title').textContent = filter.title;
element('about').textContent = filter.about;

/** Adds a line to what was seen, the latest first. */
function tell(text) {
  const line = document.createElement('li');
  line.textContent = text;
  element('seen').prepend(line);
  while (element('seen').children.length > LINES) element('seen').lastChild.remove();
}

const [label, act] = filter.act ?? [];
const button = element('act');
button.hidden = !label;
button.textContent = label ?? '';

offerLoopback({
  live: 'The server looks at your camera',
  async between(pipeline, fail) {
    const made = await filter.create(pipeline);
    made.on('Error', ({ description }) => fail(new Error(description)));
    for (const [type, text] of Object.entries(filter.events)) made.on(type, (event) => tell(text(event)));
    button.disabled = false;
    button.onclick = () => act(made).catch(fail);
    return made;
  },
});
