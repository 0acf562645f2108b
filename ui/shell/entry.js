/** One line of the history and what can be done with it. Undo and erase say what they do before they do it. */
import { h } from '/sdk/dom.js';
import { call, id } from './api.js';
import { attempt, confirm, say } from './dialog.js';

export function entry(app, item) {
  const { t, time } = { t: app.words.t, time: app.words.time(item.time_ms) };
  const gone = item.erased ? t('history.erased') : item.undone_by ? t('history.undone') : '';
  const line = h(
    'span',
    { class: 'words' },
    h('span', { class: gone ? 'gone' : '' }, sentence(app, item)),
    h('span', { class: 'small soft' }, [actor(app, item.actor), gone].filter(Boolean).join(' · ')),
  );
  const when = h('time', { class: 'small soft', datetime: new Date(item.time_ms).toISOString() }, time);
  const actions = [undo(app, item), erase(app, item)].filter(Boolean);
  if (!actions.length) return h('li', { class: 'entry' }, line, when);
  return h('li', { class: 'entry' }, h('details', {}, h('summary', {}, line, when), h('div', { class: 'actions' }, actions)));
}

/** What happened, in words; a kind this shell does not know yet is named plainly. */
function sentence({ words, titles }, { line, kind, args: given, actor: who }) {
  const args = { ...given, experience: titles.get(given.experience) ?? given.experience };
  const by = who.type === 'contact' ? '.theirs' : args.name ? '' : '.self';
  // Without its text, erased or too long ago, a message is still a thing that happened.
  const bare = args.text || args.file ? '' : '.bare';
  const key = [by + bare, by, bare, ''].map((end) => line + end).find((name) => words.has(name));
  return key ? words.t(key, args) : words.t('history.unknown', { kind });
}

function actor({ words: { t }, titles }, who) {
  if (who.type === 'experience') return t('history.by_experience', { name: titles.get(who.name) ?? who.name });
  return who.type === 'system' ? t('history.by_twin') : '';
}

function undo(app, item) {
  const { t } = app.words;
  if (item.undo === 'none' || item.undone_by || item.erased) return undefined;
  const run = async () => {
    const text = t(item.undo === 'ask_peer' ? 'history.undo.asks_peer' : 'history.undo.here');
    const sure = await confirm({ title: t('history.undo.title'), text, action: t('history.undo'), cancel: t('cancel'), danger: false });
    if (!sure) return;
    await attempt(app.words, async () => {
      const { asked_peer: asked } = await call('history', 'undo', { id: id(), seq: item.seq });
      say(t(asked ? 'history.undo.asked' : 'history.undo.done'));
    });
  };
  return h('button', { type: 'button', onclick: run }, t('history.undo'));
}

function erase(app, item) {
  const { t, date } = { t: app.words.t, date: (ms) => app.words.date(ms) };
  if (!item.erasable || item.erased) return undefined;
  const run = async () => {
    const text = [t('history.erase.what'), t('history.erase.back')];
    const sure = await confirm({ title: t('history.erase.title'), text, action: t('history.erase'), cancel: t('cancel') });
    if (!sure) return;
    await attempt(app.words, async () => {
      const { complete_by_ms: by } = await call('history', 'erase', { id: id(), seqs: [item.seq] });
      say(t('history.erase.done', { date: date(by) }));
    });
  };
  return h('button', { type: 'button', class: 'quiet danger', onclick: run }, t('history.erase'));
}
