/** Contacts: who asks, who is there, adding one, and one's own card. */
import { fill, h, keep, roving } from '/sdk/dom.js';
import { call, id, pages } from './api.js';
import { card } from './card.js';
import { contactDialog, doubleOf, nameOf } from './contact.js';
import { attempt, say } from './dialog.js';
import { events } from './events.js';
import { icon } from './icons.js';

export function show(root, app, { signal }) {
  const { t } = app.words;
  const asking = h('ul', { class: 'cards' });
  const askingPart = h('section', { hidden: true, 'aria-labelledby': 'asking' }, h('h2', { id: 'asking' }, t('contacts.asking')), asking);
  const list = h('ul', { class: 'rows' });
  const none = h('p', { class: 'empty', hidden: true }, t('contacts.none'));
  roving(list, '.row');
  fill(
    root,
    h(
      'div',
      { class: 'page two' },
      h('div', { class: 'first' }, h('h1', {}, t('nav.contacts')), askingPart, none, list),
      h('div', { class: 'second' }, add(app), card(app, signal)),
    ),
  );
  const load = async () => {
    const contacts = await pages('contacts', 'list', {}, { signal });
    const asks = contacts.items.filter((contact) => contact.state === 'asks');
    const others = contacts.items.filter((contact) => contact.state !== 'asks');
    askingPart.hidden = !asks.length;
    none.hidden = contacts.items.length > 0;
    keep(asking, asks, (contact) => contact.contact, (contact) => request(app, contact));
    keep(list, others, (contact) => contact.contact, (contact) => row(app, contact));
    return contacts.at;
  };
  attempt(app.words, async () => {
    await events.follow('contacts', load, signal);
    if (location.hash === '#card') document.getElementById('card')?.scrollIntoView();
  });
}

/** Somebody asks: accept, say no, or block. */
function request(app, contact) {
  const { t } = app.words;
  const name = nameOf(contact);
  const act = (method, said) => async () => {
    const worked = await attempt(app.words, () => call('contacts', method, { id: id(), contact: contact.contact }));
    if (worked) say(t(said, { name }));
  };
  const button = (method, said, className) =>
    h('button', { type: 'button', class: className, onclick: act(method, said) }, t(`contacts.${method}`));
  return h(
    'li',
    { class: 'card' },
    h('div', { class: 'who' }, face(name), h('div', {}, h('h3', {}, name), h('p', { class: 'soft small' }, t('contacts.wants')))),
    contact.note && h('blockquote', {}, contact.note),
    contact.double && h('p', {}, doubleOf(app, contact)),
    h(
      'div',
      { class: 'actions', role: 'group', 'aria-label': name },
      button('block', 'contacts.blocked', 'quiet danger'),
      button('deny', 'contacts.denied', ''),
      button('accept', 'contacts.accepted', 'main'),
    ),
  );
}

function row(app, contact) {
  const { t } = app.words;
  const name = nameOf(contact);
  const usual = contact.state === 'accepted' ? contact.about : t(`contacts.state.${contact.state}`);
  const state = contact.double ? t('contacts.double') : usual;
  return h(
    'li',
    {},
    h(
      'button',
      { type: 'button', class: 'row', 'aria-haspopup': 'dialog', onclick: () => contactDialog(app, contact) },
      face(name),
      h('span', { class: 'words' }, h('strong', {}, name), state && h('span', { class: 'small soft' }, state)),
    ),
  );
}

/** A letter in a circle: decoration beside the name. */
export function face(name) {
  return h('span', { class: 'face', 'aria-hidden': 'true' }, [...name][0]?.toLocaleUpperCase() ?? '');
}

/** A field for the other person's card. */
function add(app) {
  const { t } = app.words;
  const cardField = h('textarea', { id: 'their-card', name: 'card', rows: 2, required: true, spellcheck: 'false', autocomplete: 'off', placeholder: 'hometwin:…' });
  const note = h('input', { id: 'their-note', name: 'note', maxlength: 280, autocomplete: 'off' });
  const send = async (event) => {
    event.preventDefault();
    const words = note.value.trim();
    const body = { id: id(), card: cardField.value.replace(/\s+/g, ''), ...(words ? { note: words } : {}) };
    if (await attempt(app.words, () => call('contacts', 'request', body))) {
      event.target.reset();
      say(t('contacts.requested'));
    }
  };
  return h(
    'section',
    { class: 'card', 'aria-labelledby': 'add' },
    h('h2', { id: 'add' }, t('contacts.add')),
    h('p', { class: 'soft' }, t('contacts.add_how')),
    h(
      'form',
      { class: 'fields', onsubmit: send },
      h('label', { for: 'their-card' }, t('contacts.their_card')),
      cardField,
      h('label', { for: 'their-note' }, t('contacts.note')),
      note,
      h('button', { class: 'main' }, icon('plus'), t('contacts.request')),
    ),
  );
}
