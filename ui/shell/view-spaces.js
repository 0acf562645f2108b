/** Spaces: into which one is asked, which there are, and making one. What can be done with one is in its dialog. */
import { fill, h, keep, roving } from '/sdk/dom.js';
import { call, id, pages } from './api.js';
import { attempt, say } from './dialog.js';
import { events } from './events.js';
import { icon } from './icons.js';
import { called, spaceDialog } from './space.js';
import { face } from './view-contacts.js';

export function show(root, app, { signal }) {
  const { t } = app.words;
  const asking = h('ul', { class: 'cards' });
  const askingPart = h('section', { hidden: true, 'aria-labelledby': 'invited' }, h('h2', { id: 'invited' }, t('spaces.asked')), asking);
  const list = h('ul', { class: 'rows' });
  const none = h('p', { class: 'empty', hidden: true }, t('spaces.none'));
  const all = h('input', { type: 'checkbox', onchange: () => attempt(app.words, load) });
  roving(list, '.row');
  fill(
    root,
    h(
      'div',
      { class: 'page two' },
      h('div', { class: 'first' }, h('h1', {}, t('nav.spaces')), h('p', { class: 'soft' }, t('spaces.how')), askingPart, none, list, h('label', { class: 'option' }, all, h('span', {}, t('spaces.all')))),
      h('div', { class: 'second' }, make(app)),
    ),
  );
  const load = async () => {
    const { items, at } = await pages('spaces', 'list', { all: all.checked }, { signal });
    const asks = items.filter(({ state }) => state === 'invited');
    const others = items.filter(({ state }) => state !== 'invited');
    askingPart.hidden = !asks.length;
    none.hidden = items.length > 0;
    keep(asking, asks, ({ space }) => space, (space) => invitation(app, space));
    keep(list, others, ({ space }) => space, (space) => row(app, space));
    return at;
  };
  attempt(app.words, () => events.follow('spaces', load, signal));
}

/** Somebody asks one in: who else is there, and yes or no. */
function invitation(app, space) {
  const { t } = app.words;
  const name = called(app, space);
  const act = (method, said) => async () => {
    if (await attempt(app.words, () => call('spaces', method, { id: id(), space: space.space }))) say(t(said, { space: name }));
  };
  const owner = space.members.find(({ role }) => role === 'owner')?.person.name ?? '';
  return h(
    'li',
    { class: 'card' },
    h('div', { class: 'who' }, face(name), h('div', {}, h('h3', {}, t('spaces.asks', { name: owner, space: name })), h('p', { class: 'soft small' }, `${t(`spaces.as.${space.role}`)} · ${people(app, space)}`))),
    space.note && h('blockquote', {}, space.note),
    h(
      'div',
      { class: 'actions', role: 'group', 'aria-label': name },
      h('button', { type: 'button', onclick: act('decline', 'spaces.declined') }, t('spaces.decline')),
      h('button', { type: 'button', class: 'main', onclick: act('accept', 'spaces.accepted') }, t('spaces.accept')),
    ),
  );
}

function row(app, space) {
  const name = called(app, space);
  const away = space.state !== 'member' ? space.state : space.archived && 'away';
  const state = away ? app.words.t(`spaces.state.${away}`) : people(app, space);
  return h(
    'li',
    {},
    h(
      'button',
      { type: 'button', class: 'row', 'aria-haspopup': 'dialog', onclick: () => spaceDialog(app, space) },
      face(name),
      h('span', { class: 'words' }, h('strong', {}, name), h('span', { class: 'small soft' }, state)),
    ),
  );
}

/** Who else is in it, in words. */
function people({ words }, { members }) {
  const names = members.filter(({ person }) => !person.me).map(({ person }) => person.name);
  return names.length ? words.t('pick.space_shared', { names: new Intl.ListFormat(words.locale).format(names) }) : words.t('pick.space_alone');
}

/** A field for the name of a new one. */
function make(app) {
  const { t } = app.words;
  const field = h('input', { id: 'space-name', name: 'name', maxlength: 120, required: true, autocomplete: 'off' });
  const create = async (event) => {
    event.preventDefault();
    const name = field.value.trim();
    if (!name) return;
    if (await attempt(app.words, () => call('spaces', 'create', { id: id(), name }))) {
      event.target.reset();
      say(t('spaces.made', { space: name }));
    }
  };
  return h(
    'section',
    { class: 'card', 'aria-labelledby': 'make' },
    h('h2', { id: 'make' }, t('spaces.make')),
    h('form', { class: 'fields', onsubmit: create }, h('label', { for: 'space-name' }, t('spaces.name')), field, h('button', { class: 'main' }, icon('plus'), t('spaces.create'))),
  );
}
