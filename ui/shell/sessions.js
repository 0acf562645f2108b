/** The devices that are let in: named, known as one's own, and signed out from here. Never shows a token. */
import { h, keep } from '/sdk/dom.js';
import { call, id } from './api.js';
import { attempt, open, say } from './dialog.js';
import { events } from './events.js';
import { icon } from './icons.js';
import { rename } from './naming.js';

export function sessions(app, signal) {
  const list = h('ul', { class: 'rows' });
  const load = async () => {
    const { sessions: all, at } = await call('identity', 'sessions', {}, { signal });
    keep(list, all, ({ session }) => session, (session) => row(app, session));
    return at;
  };
  attempt(app.words, () => events.follow('identity', load, signal));
  return list;
}

/** On the first page: a device that came in and that nobody has called their own yet. @param {AbortSignal} signal */
export function arrivals(app, signal) {
  const { words } = app;
  const { t } = words;
  const box = h('div', { class: 'cards', 'aria-live': 'polite', hidden: true });
  const load = async () => {
    const { sessions: all, at } = await call('identity', 'sessions', {}, { signal });
    const unseen = all.filter((session) => session.unseen && !session.this);
    box.hidden = unseen.length === 0;
    keep(box, unseen, ({ session }) => session, ask);
    return at;
  };
  const ask = (session) => {
    const device = nameOf(session, t);
    const mine = () => attempt(words, () => call('identity', 'know_session', { id: id(), session: session.session }));
    return h(
      'section',
      { class: 'card', 'aria-label': t('arrival.title') },
      h('h2', {}, t('arrival.title')),
      h('p', {}, t(`arrival.${session.by}`, { device, date: words.when(session.since_ms) })),
      h('div', { class: 'actions' }, h('button', { type: 'button', class: 'danger', onclick: () => end(words, session) }, t('arrival.no')), h('button', { type: 'button', class: 'main', onclick: mine }, t('arrival.yes'))),
    );
  };
  events.follow('identity', load, signal).catch(() => {});
  return box;
}

function nameOf(session, t) {
  return session.name ?? (session.device || t('sessions.unknown'));
}

/** Signs a device out, with the passkeys that would let it in again. The list hears of it from the twin. */
async function end(words, session) {
  const { t } = words;
  const device = nameOf(session, t);
  const passkeys = h('input', { type: 'checkbox', checked: true });
  const sure = await open({
    title: t('sessions.end.title'),
    content: (close) => [
      h('p', {}, t('sessions.end.what', { device })),
      session.passkeys > 0 && h('label', { class: 'option' }, passkeys, h('span', {}, t('sessions.end.passkeys'))),
      h('p', {}, t('sessions.end.back')),
      h(
        'div',
        { class: 'actions' },
        h('button', { type: 'button', autofocus: true, onclick: () => close() }, t('cancel')),
        h('button', { type: 'button', class: 'main danger', onclick: () => close(true) }, t('sessions.end')),
      ),
    ],
  });
  if (!sure) return;
  const all = session.passkeys > 0 && passkeys.checked;
  const worked = await attempt(words, () => call('identity', 'end_session', { id: id(), session: session.session, passkeys: all }));
  if (worked) say(t('sessions.ended', { device }));
}

function row({ words }, session) {
  const { t, date } = { t: words.t, date: (ms) => words.date(ms) };
  const device = nameOf(session, t);
  const used = session.this ? t('sessions.this') : t('sessions.used', { date: date(session.last_used_ms) });
  const kind = session.name && session.device;
  const callIt = (name) => call('identity', 'rename_session', { id: id(), session: session.session, name });
  return h(
    'li',
    { class: 'row' },
    icon('device'),
    h(
      'span',
      { class: 'words' },
      h('strong', {}, device),
      kind && h('span', { class: 'small soft' }, session.device),
      h('span', { class: session.this ? 'small here' : 'small soft' }, used),
      h('span', { class: 'small soft' }, t(`sessions.since.${session.by}`, { date: date(session.since_ms) })),
    ),
    h(
      'span',
      { class: 'actions' },
      h('button', { type: 'button', class: 'quiet', onclick: () => rename(words, device, callIt), 'aria-label': t('rename_which', { name: device }) }, t('rename')),
      !session.this && h('button', { type: 'button', onclick: () => end(words, session), 'aria-label': t('sessions.end_which', { device }) }, t('sessions.end')),
    ),
  );
}
