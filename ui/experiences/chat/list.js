/** The conversations, last active first. */
import { fill, h, keep, roving } from './sdk/twin.js';

export function conversationList(root, twin, { t, when }, choose) {
  const rows = roving(h('ul'), 'button');
  const hint = h('div', { class: 'hint' });
  const welcome = [h('h2', {}, t('first')), h('p', {}, t('first.what')), h('button', { class: 'main', onclick: choose }, t('pick'))];
  root.setAttribute('aria-label', t('conversations'));
  fill(root, h('h1', {}, t('conversations')), hint, rows, h('button', { class: 'quiet', onclick: choose }, t('pick.more')));

  return ({ items, ready, problem }, here) => {
    keep(rows, items, (item) => item.conversation, row);
    for (const { firstChild, dataset } of rows.children) firstChild.ariaCurrent = dataset.key === here?.conversation ? 'true' : null;
    fill(hint, problem ? h('p', {}, problem.sentence) : ready && !items.length && welcome);
  };

  function row({ conversation, with: other, members, last, unread, active_ms }) {
    const text = !last ? t('nothing') : last.deleted ? t('deleted') : last.text || last.attachments?.[0].name || t(last.needs_update ? 'update' : 'erased');
    return h('li', {}, h('button', { class: 'row', onclick: () => twin.go(`/${conversation}`) },
      h('strong', {}, other.me ? t('self') : other.name),
      h('time', { class: 'small soft' }, last && when(active_ms)),
      h('span', { class: 'small soft last', dir: 'auto' }, !last || other.me ? text : last.author.me ? t('mine', { text }) : members ? t('news', { name: last.author.name, text }) : text),
      unread > 0 && h('span', { class: 'unread' }, unread, h('span', { class: 'unseen' }, t('unread', { n: unread })))));
  }
}
