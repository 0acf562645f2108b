/** A list that two people share: each line is a message of a conversation that its person chose. */
import { connect, fill, h, keep } from './sdk/twin.js';

const twin = await connect();
const { t } = await twin.messages();
const main = document.querySelector('main');
const list = h('ul', { 'aria-label': t('list') });
const hint = h('p', { class: 'soft', role: 'status' });
const field = h('input', { 'aria-label': t('new'), placeholder: t('new'), required: true, maxlength: 200 });
const talks = twin.live({ capability: 'chat', method: 'conversations', type: 'conversation', order: 'active_ms' });
const choose = async () => (await twin.pick({ kind: 'conversation' })) && talks.reload();
let lines, talk;

talks.watch(() => {
  if (talk || !talks.ready) return;
  talk = talks.items[0]?.conversation;
  if (!talk) return fill(main, h('h1', {}, t('first')), h('p', {}, t('why')), h('button', { class: 'main', onclick: choose }, t('choose')));
  lines = twin.live({ capability: 'chat', method: 'messages', body: { conversation: talk }, type: 'message', order: 'time_ms' });
  lines.watch(show);
  fill(main, h('h1', {}, t('list')), h('form', { onsubmit: add }, field, h('button', { class: 'main' }, t('add'))), hint, list);
});

function show() {
  const open = lines.items.filter((line) => line.text && !line.deleted);
  keep(list, open, (line) => line.message, (line) =>
    h('li', {}, line.text, line.author.me && h('button', { class: 'quiet', onclick: () => twin.chat.delete({ id: twin.id(), message: line.message }) }, t('done'))));
  fill(hint, lines.problem?.sentence ?? (lines.ready && !open.length && t('empty')));
}

function add(event) {
  event.preventDefault();
  twin.chat.send({ id: twin.id(), conversation: talk, text: field.value }).catch((problem) => fill(hint, problem.sentence));
  field.value = '';
}
