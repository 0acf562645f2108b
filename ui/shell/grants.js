/** What experiences may use: each grant with its last use, revoked at once. */
import { fill, h } from '/sdk/dom.js';
import { call, id } from './api.js';
import { attempt, say } from './dialog.js';
import { events } from './events.js';
import { forgetLast } from './shelf.js';
import { titleOf } from './view-home.js';

export function grants(app, signal) {
  const { t } = app.words;
  const list = h('ul', { class: 'rows' });
  const none = h('p', { class: 'soft', hidden: true }, t('grants.none'));
  const load = async () => {
    const [{ items, at }, installed] = await Promise.all([
      call('experiences', 'grants', {}, { signal }),
      call('experiences', 'list', {}, { signal }),
    ]);
    const titles = new Map(installed.items.map((experience) => [experience.name, titleOf(experience, app.words)]));
    none.hidden = items.length > 0;
    fill(list, items.map((grant) => row(app, grant, titles.get(grant.experience) ?? grant.experience)));
    return at;
  };
  attempt(app.words, () => events.follow('experiences', load, signal));
  return [h('p', { class: 'soft' }, t('grants.how')), none, list];
}

function row({ words }, grant, title) {
  const { t } = words;
  const kind = grant.kind === 'conversation' ? 'grants' : `grants.${grant.kind}`;
  const thing = grant.thing === 'all' ? t(`${kind}.all`) : grant.title || t(`${kind}.one`);
  const verbs = new Intl.ListFormat(words.locale).format(grant.verbs.map((verb) => t(`${kind}.verb.${verb}`)));
  const past = grant.from === 'now' ? t('grants.from', { date: words.date(grant.since_ms) }) : t('grants.history');
  const used = grant.last_used_ms ? t('grants.used', { date: words.date(grant.last_used_ms) }) : t('grants.unused');
  const revoke = async () => {
    const worked = await attempt(words, () => call('experiences', 'revoke', { id: id(), grant: grant.grant }));
    if (!worked) return;
    // What it last showed of this must not show again when offline.
    await forgetLast(grant.experience).catch(() => {});
    say(t('grants.revoked', { title, thing }));
  };
  return h(
    'li',
    { class: 'row' },
    h('span', { class: 'words' }, h('strong', {}, t('grants.line', { title, thing })), h('span', { class: 'small soft' }, `${verbs} · ${past} · ${used}`)),
    h('button', { type: 'button', class: 'danger', onclick: revoke, 'aria-label': t('grants.revoke_which', { title, thing }) }, t('grants.revoke')),
  );
}
