/** The browsers that are signed in; each can be signed out from here. Never shows a token. */
import { fill, h } from '/sdk/dom.js';
import { call, id } from './api.js';
import { attempt, confirm, say } from './dialog.js';
import { events } from './events.js';
import { icon } from './icons.js';

export function sessions(app, signal) {
  const list = h('ul', { class: 'rows' });
  const load = async () => {
    const { sessions: all } = await call('identity', 'sessions', {}, { signal });
    fill(list, all.map((session) => row(app, session, () => attempt(app.words, load))));
  };
  attempt(app.words, () => events.reached(load, signal));
  return list;
}

function row(app, session, reload) {
  const { words } = app;
  const { t } = words;
  const device = session.device || t('sessions.unknown');
  const used = session.this ? t('sessions.this') : t('sessions.used', { date: words.date(session.last_used_ms) });
  const end = async () => {
    const text = [t('sessions.end.what', { device }), t('sessions.end.back')];
    const sure = await confirm({ title: t('sessions.end.title'), text, action: t('sessions.end'), cancel: t('cancel') });
    if (!sure) return;
    const worked = await attempt(words, () => call('identity', 'end_session', { id: id(), session: session.session }));
    if (worked) say(t('sessions.ended', { device }));
    reload();
  };
  return h(
    'li',
    { class: 'row' },
    icon('device'),
    h('span', { class: 'words' }, h('strong', {}, device), h('span', { class: session.this ? 'small here' : 'small soft' }, used), h('span', { class: 'small soft' }, t('sessions.since', { date: words.date(session.since_ms) }))),
    !session.this && h('button', { type: 'button', onclick: end, 'aria-label': t('sessions.end_which', { device }) }, t('sessions.end')),
  );
}
