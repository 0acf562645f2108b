/** History: what happened, filtered, with undo where a kind offers it and erasing with its date. */
import { fill, h, keep } from '/sdk/dom.js';
import { call, pages } from './api.js';
import { nameOf } from './contact.js';
import { attempt } from './dialog.js';
import { events } from './events.js';
import { entry } from './entry.js';
import { titleOf } from './view-home.js';

/** The kinds a person can tell apart; each takes all kinds that begin so. */
const KINDS = ['chat.', 'files.', 'records.', 'space.', 'contact.', 'identity.', 'grant.'];
/** A filtered page can be empty and still have more behind it: read on this often before asking the person. */
const PAGES_AT_ONCE = 20;
const AT_ONCE = 30;

export function show(root, app, { signal }) {
  const { t } = app.words;
  const list = h('ol', { class: 'timeline' });
  const none = h('p', { class: 'empty', hidden: true }, t('history.none'));
  const more = h('button', { type: 'button', hidden: true }, t('history.more'));
  const contacts = h('select', { id: 'by-contact', name: 'contact' }, choice('', t('history.any_contact')));
  const form = h(
    'form',
    { class: 'filters', role: 'search', onsubmit: (event) => event.preventDefault() },
    field('by-text', t('history.text'), h('input', { id: 'by-text', name: 'text', type: 'search', maxlength: 200, autocomplete: 'off' })),
    field('by-kind', t('history.kind'), h('select', { id: 'by-kind', name: 'kind' }, choice('', t('history.any_kind')), KINDS.map((kind) => choice(kind, t(`history.kind.${kind}`))))),
    field('by-contact', t('history.contact'), contacts),
  );
  const busy = h('div', { 'aria-live': 'polite', class: 'unseen' });
  fill(root, h('div', { class: 'page' }, h('h1', {}, t('nav.history')), form, busy, none, list, more));
  const view = new History(app, { list, none, more, form, busy }, signal);
  let typing;
  form.addEventListener('input', () => {
    clearTimeout(typing);
    typing = setTimeout(() => view.load(), 200);
  });
  more.addEventListener('click', () => view.next());
  attempt(app.words, async () => {
    const { items } = await events.reached(() => call('experiences', 'list', {}, { signal }), signal);
    app.titles = new Map(items.map((experience) => [experience.name, titleOf(experience, app.words)]));
    await events.follow('history', () => view.refresh(), signal);
  });
  attempt(app.words, async () => {
    const { items } = await events.reached(() => pages('contacts', 'list', {}, { signal }), signal);
    for (const contact of items) contacts.append(choice(contact.contact, nameOf(contact)));
  });
}

class History {
  #app;
  #parts;
  #signal;
  #cursor;
  #latest = 0;
  #items = [];

  constructor(app, parts, signal) {
    this.#app = app;
    this.#parts = parts;
    this.#signal = signal;
  }

  /**
   * Reads from the newest on.
   * @param {number} [wanted] how many entries
   * @returns {Promise<number|undefined>} the state that is shown
   */
  async load(wanted = AT_ONCE) {
    const number = ++this.#latest;
    const { items, cursor, at } = await this.#read(wanted);
    if (number !== this.#latest || this.#signal.aborted) return;
    const { none, busy } = this.#parts;
    this.#show(items, cursor);
    none.hidden = items.length > 0;
    if (new FormData(this.#parts.form).get('text')) fill(busy, this.#app.words.t('history.found', { n: items.length }));
    return at;
  }

  /** Something happened: what is shown stays where it is, with what is new above it. */
  refresh() {
    return this.load(Math.max(AT_ONCE, this.#items.length));
  }

  async next() {
    const number = ++this.#latest;
    const { items, cursor } = await this.#read(AT_ONCE, this.#cursor);
    if (number !== this.#latest || this.#signal.aborted) return;
    this.#show([...this.#items, ...items], cursor);
    this.#parts.list.querySelector(`[data-key="${items[0]?.seq}"] summary`)?.focus();
  }

  #show(items, cursor) {
    this.#items = items;
    this.#cursor = cursor;
    const app = this.#app;
    const rows = app.words.byDay(items, (item) => item.time_ms).flatMap(([day, of]) => [{ day }, ...of]);
    const key = ({ day, seq }) => day ?? String(seq);
    keep(this.#parts.list, rows, key, (row) => (row.day ? h('li', { class: 'day' }, h('h2', {}, row.day)) : entry(app, row)));
    this.#parts.more.hidden = !cursor;
  }

  async #read(wanted, cursor) {
    const data = new FormData(this.#parts.form);
    const text = data.get('text').trim();
    const filter = {
      ...(text ? { text } : {}),
      ...(data.get('kind') ? { kinds: [data.get('kind')] } : {}),
      ...(data.get('contact') ? { contact: data.get('contact') } : {}),
    };
    const items = [];
    let at;
    for (let pages = 0; pages < PAGES_AT_ONCE && items.length < wanted; pages += 1) {
      const page = await call('history', 'list', { ...filter, ...(cursor ? { cursor } : {}) }, { signal: this.#signal });
      items.push(...page.items);
      at ??= page.at;
      cursor = page.cursor;
      if (!cursor) break;
    }
    return { items, cursor, at };
  }
}

function field(name, label, input) {
  return h('div', {}, h('label', { for: name }, label), input);
}

function choice(value, label) {
  return h('option', { value }, label);
}
