/**
 * What is not as it should be with the twin, and for an owner with the node: in words, with what can be done.
 * Never repairs anything without saying before what happens.
 */
import { fill, h } from '/sdk/dom.js';
import { call, id } from './api.js';
import { attempt, confirm, say } from './dialog.js';
import { events } from './events.js';

/** Tells that something was repaired or put off. */
export const changes = new EventTarget();

/** Where problems come from: of the twin itself, and of the box for whoever owns it. */
const OWN = { capability: 'health', list: 'list' };
const NODE = { capability: 'node', list: 'health' };

export function health(app, signal) {
  const { t } = app.words;
  const own = list(app, OWN, t('health.fine'), signal);
  const node = list(app, NODE, t('health.node_fine'), signal);
  const box = h('div', { class: 'part', hidden: true }, h('h3', {}, t('health.node')), node.content);
  attempt(app.words, () => events.reached(own.load, signal));
  // Whoever is no owner has nothing to do with the node.
  events.reached(node.load, signal).then(() => (box.hidden = false), () => {});
  return [own.content, box];
}

/** Titles of what somebody should do something about. @returns {Promise<string[]>} */
export async function pressing() {
  const items = (source) => call(source.capability, source.list).then((answer) => answer.items);
  const all = await Promise.all([items(OWN), items(NODE).catch(() => [])]);
  return all.flat().filter(({ weight, put_off_until_ms: later }) => weight !== 'note' && !later).map(({ title }) => title);
}

function list(app, source, well, signal) {
  const rows = h('ul', { class: 'rows' });
  const fine = h('p', { class: 'soft', hidden: true }, well);
  const show = ({ items }) => {
    fine.hidden = items.some(({ weight }) => weight !== 'note');
    fill(rows, items.map((item) => row(app, source, item, show, load)));
  };
  const load = async () => show(await call(source.capability, source.list, {}, { signal }));
  return { content: [fine, rows], load };
}

function row(app, source, item, show, load) {
  const { t, date } = { t: app.words.t, date: (ms) => app.words.date(ms) };
  const later = item.put_off_until_ms;
  const body = [
    h('p', {}, item.detail),
    h('p', {}, item.what_to_do),
    h(
      'div',
      { class: 'actions' },
      item.can_wait && !later && h('button', { type: 'button', class: 'quiet', onclick: () => putOff(app, item, show) }, t('health.wait')),
      item.repairs.map((offer) => h('button', { type: 'button', onclick: () => repair(app, source, item, offer, load) }, offer.label)),
    ),
  ];
  const title = h('strong', {}, item.title);
  const state = later ? t('health.waits', { date: date(later) }) : t(`health.weight.${item.weight}`);
  const head = h('span', { class: 'words' }, title, h('span', { class: item.weight === 'now' ? 'small danger' : 'small soft' }, state));
  return h('li', { class: 'entry' }, h('details', { open: item.weight !== 'note' && !later }, h('summary', {}, head), body));
}

async function putOff({ words }, { problem }, show) {
  await attempt(words, async () => show(await call('health', 'put_off', { id: id(), problem })));
  changes.dispatchEvent(new Event('changed'));
}

async function repair({ words }, source, { problem, about = '' }, offer, load) {
  const { t } = words;
  const sure = await confirm({ title: offer.label, text: offer.what_happens, action: offer.label, cancel: t('cancel'), danger: false });
  if (!sure) return;
  await attempt(words, async () => {
    const { text } = await call(source.capability, 'repair', { id: id(), problem, about, repair: offer.repair });
    say(text);
    // A twin that starts anew for this needs a moment, and is asked again then.
    await load().catch(() => {});
  });
  changes.dispatchEvent(new Event('changed'));
}
