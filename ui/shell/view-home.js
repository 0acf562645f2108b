/** The launcher: who waits, what can be opened, how it went on lately, and the first steps. Never opens anything by itself. */
import { fill, h, keep } from '/sdk/dom.js';
import { call, pages } from './api.js';
import { attempt } from './dialog.js';
import { events } from './events.js';
import { icon } from './icons.js';
import { offer } from './passkeys.js';
import { arrivals } from './sessions.js';
import { face } from './view-contacts.js';

/** Pictures for experiences the shell knows; others get the general one. */
const PICTURES = { chat: 'chat', files: 'files', todo: 'todo' };
/** How many conversations are named: home is a way in, not a second chat. */
const TALKS = 5;

export function show(root, app, { signal }) {
  const { words, me } = app;
  const { t } = words;
  const tiles = h('ul', { class: 'tiles' });
  const none = h('p', { class: 'empty', hidden: true }, t('home.none'));
  const asks = h('a', { class: 'note asks', href: '/contacts', hidden: true });
  const talks = h('ul', { class: 'rows' });
  const lately = h('section', { hidden: true, 'aria-labelledby': 'lately' }, h('h2', { id: 'lately' }, t('home.talks')), talks);
  const first = steps(t);
  fill(
    root,
    h(
      'div',
      { class: 'page' },
      h('h1', {}, t('home.hello', { name: me.display_name })),
      arrivals(app, signal),
      asks,
      offer(app, signal),
      first,
      h('section', { 'aria-label': t('home.experiences') }, tiles, none),
      lately,
    ),
  );
  const people = async () => {
    const { items, at } = await pages('contacts', 'list', {}, { signal });
    const n = items.filter((contact) => contact.state === 'asks').length;
    asks.hidden = n === 0;
    fill(asks, t('nav.asks', { n }));
    first.hidden = items.length > 0;
    return at;
  };
  const talk = async () => {
    const { items, at } = await call('chat', 'conversations', { limit: TALKS }, { signal });
    const begun = items.filter((conversation) => conversation.last);
    lately.hidden = begun.length === 0;
    keep(talks, begun, ({ conversation }) => conversation, (one) => said(one, words));
    return at;
  };
  attempt(words, () => events.follow('contacts', people, signal));
  attempt(words, async () => {
    const { items } = await events.reached(() => call('experiences', 'list', {}, { signal }), signal);
    fill(tiles, items.map((experience) => h('li', {}, tile(experience, words))));
    none.hidden = items.length > 0;
    // Only once the person lets the chat show conversations is there a place where these links lead.
    if (items.some(({ name, grants }) => name === 'chat' && grants.length)) await events.follow('chat', talk, signal);
  });
}

/** What somebody who knows nobody here yet does first. */
function steps(t) {
  const step = (name, path, picture) =>
    h(
      'li',
      {},
      h('a', { class: 'row', href: path }, icon(picture), h('span', { class: 'words' }, h('strong', {}, t(`home.next.${name}`)), h('span', { class: 'small soft' }, t(`home.next.${name}_what`)))),
    );
  return h(
    'section',
    { class: 'card next', hidden: true, 'aria-labelledby': 'next' },
    h('h2', { id: 'next' }, t('home.next')),
    h('ol', { class: 'rows' }, step('name', '/settings', 'settings'), step('card', '/contacts#card', 'contacts')),
  );
}

/** With whom, when, and how much is unread; what was said stays in the chat. */
function said({ conversation, with: other, unread, active_ms }, words) {
  const name = other.me ? words.t('pick.self') : other.name;
  const count = unread > 0 && [h('span', { class: 'count', 'aria-hidden': 'true' }, unread), h('span', { class: 'unseen' }, words.t('home.unread', { n: unread }))];
  return h(
    'li',
    {},
    h('a', { class: 'row', href: `/x/chat#/${conversation}` }, face(name), h('span', { class: 'words' }, h('strong', {}, name), h('span', { class: 'small soft' }, words.when(active_ms))), count),
  );
}

function tile(experience, words) {
  const { t } = words;
  const shared = experience.grants.length
    ? t('home.uses', { n: experience.grants.length })
    : t('home.uses_nothing');
  return h(
    'a',
    { class: 'tile', href: `/x/${experience.name}` },
    h('span', { class: 'picture' }, icon(PICTURES[experience.name] ?? 'app')),
    h('span', { class: 'words' }, h('strong', {}, titleOf(experience, words)), h('span', { class: 'small soft' }, shared)),
  );
}

/** What an experience is called in the person's language. */
export function titleOf({ title, name }, words) {
  return title?.[words.lang] ?? title?.en ?? name;
}
