/**
 * The powerbox: an experience asks for a kind of thing, the person chooses one, and the choice is the grant.
 * The experience learns nothing but what was chosen; closing the dialog gives nothing.
 */
import { h } from '/sdk/dom.js';
import { call, id, pages } from './api.js';
import { open } from './dialog.js';

const VERBS = ['see', 'add', 'change'];

/**
 * @param {object} app
 * @param {{name: string, title: string, wish: {kind?: string, types?: string[]}}} asked kinds: `conversation`, `folder`,
 *   `space` with the types of records that it works with
 * @returns {Promise<{grant: string, grants: string[]}|null>}
 */
export async function pick(app, { name, title, wish }) {
  if (wish.kind === 'space') return pickSpace(app, { name, title, types: wish.types });
  if (wish.kind === 'folder') return pickFolder(app, { name, title });
  if (wish.kind !== 'conversation') return null;
  const { t } = app.words;
  const { items: conversations } = await pages('chat', 'conversations');
  const choice = await open({
    title: t('pick.title', { title }),
    className: 'pick',
    content: (close) => form(t, title, conversations, close),
  });
  if (!choice) return null;
  const grants = [];
  for (const thing of choice.things) {
    const grant = id();
    await call('experiences', 'grant', { id: grant, experience: name, kind: 'conversation', thing, ...choice.how });
    grants.push(grant);
  }
  return grants.length ? { grant: grants[0], grants } : null;
}

/** A folder of its own, one of those on top, or all of them. */
async function pickFolder(app, { name, title }) {
  const { t } = app.words;
  const { items } = await pages('files', 'list');
  const folders = items.filter(({ kind, name: called }) => kind === 'folder' && called);
  const choice = await open({ title: t('pick.title', { title }), className: 'pick', content: (close) => folderForm(t, title, folders, close) });
  if (!choice) return null;
  const own = folders.find((folder) => folder.name === title);
  let { thing } = choice;
  if (thing === 'own') thing = (own ?? (await call('files', 'make_folder', { id: id(), name: title }))).item;
  const grant = id();
  await call('experiences', 'grant', { id: grant, experience: name, kind: 'folder', thing, verbs: choice.verbs, from: 'history' });
  return { grant, grants: [grant] };
}

function folderForm(t, title, folders, close) {
  const read = (data) => ({ thing: data.get('thing'), verbs: VERBS.filter((verb) => verb === 'see' || data.has(verb)) });
  const fields = h(
    'form',
    { onsubmit: (event) => event.preventDefault() || close(read(new FormData(fields))) },
    group(t('pick.folders'), [
      option('radio', 'thing', 'own', t('pick.own'), t('pick.own_hint', { title }), true),
      option('radio', 'thing', 'all', t('pick.all_files'), t('pick.all_files_hint')),
      folders.map(({ item, name }) => option('radio', 'thing', item, name)),
    ]),
    group(t('pick.may', { title }), VERBS.map((verb) => option('checkbox', verb, verb, t(`verb.file.${verb}`), '', true, verb === 'see'))),
    h('p', { class: 'soft small' }, t('pick.back')),
    h('div', { class: 'actions' }, h('button', { type: 'button', onclick: () => close() }, t('pick.nothing')), h('button', { class: 'main' }, t('pick.give'))),
  );
  return fields;
}

/** A new space, or one that is there already. */
async function pickSpace(app, { name, title, types }) {
  const { t } = app.words;
  const { items } = await pages('spaces', 'list');
  const spaces = items.filter(({ state }) => state === 'member');
  const choice = await open({ title: t('pick.title', { title }), className: 'pick', content: (close) => spaceForm(app.words, title, spaces, close) });
  if (!choice) return null;
  let { thing } = choice;
  if (thing === 'new') thing = (await call('spaces', 'create', { id: id(), name: choice.called || title })).space;
  const grant = id();
  await call('experiences', 'grant', { id: grant, experience: name, kind: 'space', thing, types, verbs: choice.verbs, from: 'history' });
  return { grant, grants: [grant], thing };
}

function spaceForm({ t, locale }, title, spaces, close) {
  const read = (data) => ({ thing: data.get('thing'), called: data.get('called').trim(), verbs: VERBS.filter((verb) => verb === 'see' || data.has(verb)) });
  const called = h('input', { name: 'called', value: title, maxlength: 120, 'aria-label': t('pick.space_name'), autocomplete: 'off' });
  const whom = ({ members }) => {
    const names = members.filter(({ person }) => !person.me).map(({ person }) => person.name);
    return names.length ? t('pick.space_shared', { names: new Intl.ListFormat(locale).format(names) }) : t('pick.space_alone');
  };
  const look = () => (called.hidden = new FormData(fields).get('thing') !== 'new');
  const fields = h(
    'form',
    { onchange: look, onsubmit: (event) => event.preventDefault() || close(read(new FormData(fields))) },
    group(t('pick.spaces'), [
      option('radio', 'thing', 'new', t('pick.new_space'), t('pick.new_space_hint'), true),
      called,
      spaces.map((space) => option('radio', 'thing', space.space, space.name ?? t('spaces.nameless'), whom(space))),
    ]),
    group(t('pick.may', { title }), VERBS.map((verb) => option('checkbox', verb, verb, t(`verb.space.${verb}`), '', true, verb === 'see'))),
    h('p', { class: 'soft small' }, t('pick.back')),
    h('div', { class: 'actions' }, h('button', { type: 'button', onclick: () => close() }, t('pick.nothing')), h('button', { class: 'main' }, t('pick.give'))),
  );
  return fields;
}

function form(t, title, conversations, close) {
  const warning = h('p', { class: 'note', hidden: true }, t('pick.combines', { title }));
  const some = h(
    'ul',
    { class: 'some', hidden: true },
    conversations.map(({ conversation, with: other }) =>
      h('li', {}, option('checkbox', 'thing', conversation, other.me ? t('pick.self') : other.name)),
    ),
  );
  const give = h('button', { class: 'main' }, t('pick.give'));
  const chosen = () => new FormData(fields);
  const look = () => {
    const data = chosen();
    const which = data.get('which');
    some.hidden = which !== 'some';
    const count = which === 'all' ? Infinity : data.getAll('thing').length;
    give.disabled = count === 0;
    warning.hidden = !(count > 1 && data.has('add'));
  };
  const fields = h(
    'form',
    { onchange: look, onsubmit: (event) => event.preventDefault() || close(read(chosen())) },
    group(t('pick.which'), [
      option('radio', 'which', 'all', t('pick.all'), t('pick.all_hint'), true),
      option('radio', 'which', 'some', t('pick.some')),
      some,
    ]),
    group(t('pick.past'), [
      option('radio', 'from', 'history', t('pick.history'), '', true),
      option('radio', 'from', 'now', t('pick.now')),
    ]),
    group(t('pick.may', { title }), VERBS.map((verb) => option('checkbox', verb, verb, t(`verb.${verb}`), '', true, verb === 'see'))),
    warning,
    h('p', { class: 'soft small' }, t('pick.back')),
    h('div', { class: 'actions' }, h('button', { type: 'button', onclick: () => close() }, t('pick.nothing')), give),
  );
  queueMicrotask(look);
  return fields;
}

/** What the form says, as a grant. */
function read(data) {
  const things = data.get('which') === 'all' ? ['all'] : data.getAll('thing');
  const verbs = ['see', ...VERBS.slice(1).filter((verb) => data.has(verb))];
  return { things, how: { verbs, from: data.get('from') } };
}

function group(legend, children) {
  return h('fieldset', {}, h('legend', {}, legend), children);
}

function option(type, name, value, label, hint = '', checked = false, disabled = false) {
  return h(
    'label',
    { class: 'option' },
    h('input', { type, name, value, checked, disabled }),
    h('span', {}, label, hint && h('span', { class: 'small soft' }, hint)),
  );
}
