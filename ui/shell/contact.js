/** One contact: what is known, what one calls them, and the ways to part. Says what each way does before it is done. */
import { h } from '/sdk/dom.js';
import { call, id } from './api.js';
import { attempt, confirm, open, say } from './dialog.js';

/** What a contact is called here. */
export function nameOf({ petname, display_name }) {
  return petname || display_name;
}

/** What a person should know when somebody else has used a contact's keys. */
export function doubleOf({ words }, contact) {
  const values = { name: nameOf(contact), date: words.date(contact.double.since_ms) };
  return words.t(contact.double.recovered ? 'contacts.double.recovered' : 'contacts.double.open', values);
}

export async function contactDialog(app, contact) {
  const { t } = app.words;
  const name = nameOf(contact);
  const next = await open({ title: name, className: 'contact', content: (close) => content(app, contact, close) });
  if (next === 'write') return app.go(`/x/chat#/${contact.conversation}`);
  if (next === 'accept' || next === 'unblock') return act(app, next, contact, t(`contacts.${next}ed`, { name }));
  if (next === 'acknowledge') return act(app, next, contact, t('contacts.acknowledged', { name }));
  if (!next || next === 'renamed') return;
  const sure = await confirm({
    title: t(`contacts.${next}.title`, { name }),
    text: [t(`contacts.${next}.what`, { name }), t(`contacts.${next}.back`, { name })],
    action: t(`contacts.${next}`),
    cancel: t('cancel'),
  });
  if (sure) await act(app, next, contact, t(`contacts.${next}.done`, { name }));
}

async function act(app, method, contact, said) {
  if (await attempt(app.words, () => call('contacts', method, { id: id(), contact: contact.contact }))) say(said);
}

function content(app, contact, close) {
  const { t } = app.words;
  const since = app.words.date(contact.since_ms);
  const button = (what, className) => h('button', { type: 'button', class: className, autofocus: className === 'main', onclick: () => close(what) }, t(`contacts.${what}`));
  const { state } = contact;
  return [
    h('p', { class: 'soft' }, t(`contacts.since.${state}`, { date: since })),
    contact.petname && h('p', {}, t('contacts.own_name', { name: contact.display_name })),
    contact.about && h('p', {}, contact.about),
    contact.double && h('div', { class: 'card' }, h('p', {}, doubleOf(app, contact)), h('div', { class: 'actions' }, button('acknowledge', ''))),
    rename(app, contact, close),
    h(
      'div',
      { class: 'actions' },
      button('remove', 'quiet danger'),
      state === 'blocked' ? button('unblock', '') : button('block', 'quiet danger'),
      state === 'denied' && button('accept', ''),
      contact.conversation && state === 'accepted' ? button('write', 'main') : h('button', { type: 'button', autofocus: true, onclick: () => close() }, t('close')),
    ),
  ];
}

function rename(app, contact, close) {
  const { t } = app.words;
  const field = h('input', { id: 'petname', value: contact.petname ?? '', maxlength: 80, placeholder: contact.display_name, autocomplete: 'off' });
  const save = async (event) => {
    event.preventDefault();
    const body = { id: id(), contact: contact.contact, petname: field.value.trim(), if_rev: contact.rev };
    if (await attempt(app.words, () => call('contacts', 'rename', body))) close('renamed');
  };
  return h(
    'form',
    { class: 'fields', onsubmit: save },
    h('label', { for: 'petname' }, t('contacts.petname')),
    h('div', { class: 'with' }, field, h('button', {}, t('save'))),
    h('p', { class: 'soft small' }, t('contacts.petname_hint')),
  );
}
