/**
 * The frame around every view: a column beside it on wide screens, a bar below it on phones.
 * Never hides a way out: from an open experience the way home is always there.
 */
import { fill, h } from '/sdk/dom.js';
import { call, pages, session } from './api.js';
import { events } from './events.js';
import { changes, pressing } from './health.js';
import { icon } from './icons.js';

const ITEMS = [
  ['home', '/'],
  ['contacts', '/contacts'],
  ['spaces', '/spaces'],
  ['history', '/history'],
  ['settings', '/settings'],
];

/**
 * @param {HTMLElement} top
 * @param {object} app
 * @returns {(view: string, name?: string) => void} to be called when the view changed
 */
export function navigation(top, app) {
  const { t } = app.words;
  const asks = h('span', { class: 'count', hidden: true });
  const invited = h('span', { class: 'count', hidden: true });
  const unwell = h('span', { class: 'count', hidden: true });
  const links = ITEMS.map(([view, path]) =>
    h('a', { href: path, 'data-view': view }, icon(view), h('span', {}, t(`nav.${view}`)), view === 'contacts' && asks, view === 'spaces' && invited, view === 'settings' && unwell),
  );
  const person = h('p', { class: 'person' });
  app.renamed = () => fill(person, app.me.display_name);
  app.renamed();
  fill(top, person, h('nav', { 'aria-label': t('nav.label') }, h('ul', {}, links.map((link) => h('li', {}, link)))));
  top.hidden = false;
  countRequests(asks, app);
  countInvitations(invited, app);
  markHealth(unwell, app);
  return (view) => {
    document.body.dataset.view = view;
    for (const link of links) {
      const here = link.dataset.view === view || (view === 'open' && link.dataset.view === 'home');
      if (here) link.setAttribute('aria-current', view === 'open' ? 'true' : 'page');
      else link.removeAttribute('aria-current');
    }
    document.title = view === 'open' ? document.title : `${t(`nav.${view}`)} · ${app.me.display_name}`;
  };
}

/** Shows how many people wait for an answer. */
function countRequests(badge, app) {
  const load = async () => {
    const { items, at } = await pages('contacts', 'list');
    const n = items.filter((contact) => contact.state === 'asks').length;
    badge.hidden = n === 0;
    fill(badge, h('span', { 'aria-hidden': 'true' }, n), h('span', { class: 'unseen' }, app.words.t('nav.asks', { n })));
    return at;
  };
  // Runs after the events have started, for as long as the page lives.
  queueMicrotask(() => events.follow('contacts', load, new AbortController().signal).catch(() => {}));
}

/** Shows into how many spaces the person is asked. */
function countInvitations(badge, app) {
  const load = async () => {
    const { items, at } = await pages('spaces', 'list');
    const n = items.filter(({ state }) => state === 'invited').length;
    badge.hidden = n === 0;
    fill(badge, h('span', { 'aria-hidden': 'true' }, n), h('span', { class: 'unseen' }, app.words.t('nav.invited', { n })));
    return at;
  };
  queueMicrotask(() => events.follow('spaces', load, new AbortController().signal).catch(() => {}));
}

/** A quiet mark while something needs the person. Looked for when the page is opened or looked at again, never by a clock. */
function markHealth(badge, { words: { t } }) {
  const look = async () => {
    const titles = await pressing();
    badge.hidden = titles.length === 0;
    fill(badge, h('span', { 'aria-hidden': 'true' }, '!'), h('span', { class: 'unseen' }, t('nav.unwell', { what: titles[0] ?? '' })));
  };
  const again = () => look().catch(() => {});
  changes.addEventListener('changed', again);
  session.addEventListener('unwell', again);
  document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && again());
  again();
}
