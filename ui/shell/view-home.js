/** The launcher: what can be opened. Never opens anything by itself. */
import { fill, h } from '/sdk/dom.js';
import { attempt } from './dialog.js';
import { call } from './api.js';
import { icon } from './icons.js';

/** Pictures for experiences the shell knows; others get the general one. */
const PICTURES = { chat: 'chat' };

export function show(root, { words, me }, { signal }) {
  const { t } = words;
  const list = h('ul', { class: 'tiles' });
  const asks = h('a', { class: 'note asks', href: '/contacts', hidden: true });
  fill(
    root,
    h(
      'div',
      { class: 'page' },
      h('h1', {}, t('home.hello', { name: me.display_name })),
      asks,
      h('section', { 'aria-label': t('home.experiences') }, list),
    ),
  );
  attempt(words, async () => {
    const { items } = await call('experiences', 'list', {}, { signal });
    fill(list, items.map((experience) => h('li', {}, tile(experience, words))));
    const contacts = await call('contacts', 'list', { limit: 200 }, { signal });
    const n = contacts.items.filter((contact) => contact.state === 'asks').length;
    asks.hidden = n === 0;
    fill(asks, t('nav.asks', { n }));
    if (!items.length) list.replaceWith(h('p', { class: 'empty' }, t('home.none')));
  });
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
