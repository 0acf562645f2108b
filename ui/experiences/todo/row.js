/** One task: ticking it, and what can be done with it. */
import { fill, h, sure } from './sdk/twin.js';

export function row(words, item, act, space) {
  const { t } = words;
  const { title = t('erased'), done = false, due } = item.fields;
  const fixed = space.role === 'viewer';
  const tick = ({ target }) => act.put(item, { done: target.checked, done_ms: target.checked ? Date.now() : null });
  const others = space.members.length > 1 && !item.made_by.me && item.made_by.name;
  const notes = [due && t('by', { day: words.date(Date.parse(`${due}T12:00`)) }), others, item.refused ?? (item.waiting && t('waiting'))];
  const late = due && !done && due < today();
  const place = h('div', { class: 'more' });
  const tool = (key, onclick, className = '') => h('button', { class: `quiet small ${className}`, onclick }, t(key));
  return h('li', { class: done ? 'ticked' : '' },
    h('label', {},
      h('input', { type: 'checkbox', checked: done, disabled: fixed || item.waiting, onchange: tick }),
      h('span', {}, h('span', { class: 'title', dir: 'auto' }, title), h('span', { class: `small ${late ? 'late' : 'soft'}` }, notes.filter(Boolean).join(' · ')))),
    !fixed && !item.waiting && h('details', { name: 'tools' },
      h('summary', { 'aria-label': t('tools', { title }) }, h('span', { 'aria-hidden': 'true' }, '⋯')),
      h('div', { class: 'tools' },
        tool('rename', () => ask('title', { value: item.fields.title ?? '', maxlength: 500, required: true })),
        tool('due', () => ask('due', { type: 'date', value: due ?? '' })),
        tool('remove', ({ target }) => sure(target, t(space.members.length > 1 ? 'remove.all' : 'remove.sure'), () => act.remove(item)), 'danger')),
      place));

  /** A small form for one field; without a value it is taken away. */
  function ask(name, about) {
    const field = h('input', { ...about, 'aria-label': t(`${name}.new`), autocomplete: 'off' });
    const save = (event) => event.preventDefault() || act.put(item, { [name]: field.value.trim() || null });
    fill(place, h('form', { onsubmit: save }, field, h('button', {}, t('save'))));
    field.focus();
  }
}

function today() {
  const now = new Date();
  return new Date(now - now.getTimezoneOffset() * 60_000).toISOString().slice(0, 10);
}
