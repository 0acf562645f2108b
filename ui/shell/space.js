/** One space: who is in it, asking somebody in, its name, and the ways out. Says what each way does before it is done. */
import { fill, h } from '/sdk/dom.js';
import { call, id, pages } from './api.js';
import { nameOf } from './contact.js';
import { attempt, confirm, open, say } from './dialog.js';
import { read, save } from './space-text.js';

/** What a space is called here. */
export function called({ words }, { name }) {
  return name ?? words.t('spaces.nameless');
}

export async function spaceDialog(app, space) {
  const { t } = app.words;
  const name = called(app, space);
  const { items } = await pages('contacts', 'list');
  const known = items.filter(({ state }) => state === 'accepted');
  const next = await open({ title: name, className: 'space', content: (close) => content(app, space, known, close) });
  if (!next) return;
  if (next === 'talk') return app.go(`/x/chat#/${space.space}`);
  if (next === 'save') return save(app, space, name);
  if (next.file) return read(app, space, name, next.file);
  const { method, body, said, ask } = next;
  const sure = !ask || (await confirm({ title: t(`spaces.${ask}.title`, { space: name, name: next.who }), text: t(`spaces.${ask}.what`, { name: next.who }), action: t(`spaces.${ask}`), cancel: t('cancel') }));
  if (sure && (await attempt(app.words, () => call('spaces', method, { id: id(), space: space.space, ...body })))) say(said);
}

function content(app, space, known, close) {
  const { t } = app.words;
  const mine = space.role === 'owner';
  const here = space.state === 'member';
  const name = called(app, space);
  const button = (key, next, className = '') => h('button', { type: 'button', class: className, onclick: () => close(next) }, t(key));
  const away = !space.archived;
  const talks = here && away && space.members.some(({ person: who, joined }) => joined && !who.me);
  return [
    h('p', { class: 'soft' }, here ? t(`spaces.as.${space.role}`) : t(`spaces.state.${space.state}`)),
    h('h3', {}, t('spaces.members')),
    h('ul', { class: 'rows' }, space.members.map((member) => person(app, space, member, mine, close))),
    mine && invite(app, space, known, close),
    mine && rename(app, space, close),
    space.types.length > 0 && asText(app, space, here, close),
    h(
      'div',
      { class: 'actions' },
      talks && button('spaces.talk', 'talk', 'main'),
      here && !mine && button('spaces.leave', { method: 'leave', ask: 'leave', said: t('spaces.left', { space: name }) }, 'quiet danger'),
      button(away ? 'spaces.archive' : 'spaces.unarchive', { method: 'archive', body: { archived: away }, said: away ? t('spaces.archived') : '' }, 'quiet'),
      h('button', { type: 'button', autofocus: true, onclick: () => close() }, t('close')),
    ),
  ];
}

function person(app, space, { person: who, role, joined }, mine, close) {
  const { t } = app.words;
  const other = role === 'editor' ? 'viewer' : 'editor';
  const set = (to) => ({ method: 'set_role', body: { person: who.id, role: to }, who: who.name });
  return h(
    'li',
    { class: 'row' },
    h('span', { class: 'words' }, h('strong', {}, who.me ? t('spaces.you') : who.name), h('span', { class: 'small soft' }, joined ? t(`spaces.role.${role}`) : t('spaces.waiting'))),
    mine && !who.me && h('button', { type: 'button', class: 'quiet', onclick: () => close({ ...set(other), said: '' }) }, t(`spaces.make_${other}`)),
    mine && !who.me && h('button', { type: 'button', class: 'quiet danger', onclick: () => close({ ...set('none'), ask: 'take_out', said: t('spaces.taken_out', { name: who.name, space: called(app, space) }) }) }, t('spaces.take_out')),
  );
}

function invite(app, space, known, close) {
  const { t } = app.words;
  const others = known.filter(({ contact }) => !space.members.some(({ person: who }) => who.id === contact));
  if (!others.length) return h('p', { class: 'soft small' }, t('spaces.invite.nobody'));
  const who = h('select', { id: 'whom' }, others.map((contact) => h('option', { value: contact.contact }, nameOf(contact))));
  const as = h('select', { id: 'as' }, ['editor', 'viewer'].map((role) => h('option', { value: role }, t(`spaces.role.${role}`))));
  const note = h('input', { id: 'invite-note', maxlength: 280, autocomplete: 'off' });
  const send = (event) => {
    event.preventDefault();
    const words = note.value.trim();
    const name = who.selectedOptions[0].textContent;
    close({ method: 'invite', body: { contact: who.value, role: as.value, ...(words ? { note: words } : {}) }, said: t('spaces.invited', { name }) });
  };
  const form = h('form', { class: 'fields', onsubmit: send });
  return fill(
    form,
    h('h3', {}, t('spaces.invite')),
    h('label', { for: 'whom' }, t('spaces.invite.who')),
    who,
    h('label', { for: 'as' }, t('spaces.invite.role')),
    as,
    h('label', { for: 'invite-note' }, t('spaces.invite.note')),
    note,
    h('button', { class: 'main' }, t('spaces.invite.send')),
  );
}

function rename(app, space, close) {
  const { t } = app.words;
  const field = h('input', { id: 'renamed', value: space.name ?? '', maxlength: 120, required: true, autocomplete: 'off' });
  const save = (event) => event.preventDefault() || close({ method: 'rename', body: { name: field.value.trim() }, said: '' });
  return h('form', { class: 'fields', onsubmit: save }, h('label', { for: 'renamed' }, t('spaces.name')), h('div', { class: 'with' }, field, h('button', {}, t('spaces.rename'))));
}

/** What is in it as a text file; who may write reads one in. */
function asText(app, space, here, close) {
  const { t } = app.words;
  const file = h('input', { type: 'file', accept: '.txt,text/plain', hidden: true, onchange: () => file.files[0] && close({ file: file.files[0] }) });
  return h(
    'div',
    { class: 'actions', role: 'group', 'aria-label': t('records.text') },
    h('button', { type: 'button', class: 'quiet', onclick: () => close('save') }, t('records.text.save')),
    here && space.role !== 'viewer' && [file, h('button', { type: 'button', class: 'quiet', onclick: () => file.click() }, t('records.text.read'))],
  );
}
