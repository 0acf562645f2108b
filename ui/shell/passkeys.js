/** The passkeys a person comes in with: made, named and removed from here. Never shows what is secret about them. */
import { fill, h } from '/sdk/dom.js';
import { call, id } from './api.js';
import { attempt, confirm, say } from './dialog.js';
import { events } from './events.js';
import { icon } from './icons.js';
import { rename } from './naming.js';
import { hindrance, inWords, make } from './passkey.js';
import { choose, chosen } from './prefs.js';

/** Remembered in this browser: the person does not want to be asked again. */
const LATER = 'passkey.later';

export function passkeys(app, signal) {
  const { t } = app.words;
  const rows = h('ul', { class: 'rows' });
  const none = h('p', { class: 'soft', hidden: true }, t('passkeys.none'));
  const show = ({ passkeys: all }) => {
    none.hidden = all.length > 0;
    fill(rows, all.map((passkey) => row(app, passkey, show)));
  };
  attempt(app.words, () => events.reached(async () => show(await call('identity', 'passkeys', {}, { signal })), signal));
  const why = hindrance();
  const add = h('button', { type: 'button', onclick: () => begin(app, add).then((made) => made && show(made)) }, t('passkeys.make'));
  return [h('p', { class: 'soft' }, t('passkeys.what')), rows, none, why ? h('p', { class: 'soft' }, t(`passkey.${why}`)) : h('div', { class: 'actions' }, add)];
}

/** On the first page until there is one that fits, or the person says later. @param {AbortSignal} signal */
export function offer(app, signal) {
  const { t } = app.words;
  const box = h('section', { class: 'card', hidden: true, 'aria-labelledby': 'offer' });
  if (hindrance() || chosen(LATER)) return box;
  const yes = h('button', { type: 'button', class: 'main', onclick: async () => (await begin(app, yes)) && box.remove() }, t('passkeys.make'));
  const later = () => {
    choose(LATER, '1');
    box.remove();
    say(t('passkeys.later_where'));
  };
  fill(
    box,
    h('h2', { id: 'offer' }, t('passkeys.offer')),
    h('p', {}, t('passkeys.what')),
    h('div', { class: 'actions' }, h('button', { type: 'button', class: 'quiet', onclick: later }, t('passkeys.later')), yes),
  );
  const look = async () => {
    const { passkeys: all } = await call('identity', 'passkeys', {}, { signal });
    box.hidden = all.some(({ fits }) => fits);
  };
  events.reached(look, signal).catch(() => {});
  return box;
}

async function begin({ words: { t } }, button) {
  button.disabled = true;
  try {
    const made = await make();
    say(t('passkeys.made'));
    return made;
  } catch (problem) {
    say(inWords(problem, t));
    return undefined;
  } finally {
    button.disabled = false;
  }
}

function row(app, passkey, show) {
  const { words } = app;
  const { t, date } = { t: words.t, date: (ms) => words.date(ms) };
  const name = passkey.name ?? (passkey.device || t('passkeys.unknown'));
  const used = passkey.last_used_ms ? t('sessions.used', { date: date(passkey.last_used_ms) }) : t('passkeys.unused');
  const where = passkey.fits ? t(passkey.synced ? 'passkeys.synced' : 'passkeys.here') : t('passkeys.other_name');
  const remove = async () => {
    const text = [t('passkeys.remove.what', { name }), t('passkeys.remove.out'), t('passkeys.remove.back')];
    if (!(await confirm({ title: t('passkeys.remove.title'), text, action: t('passkeys.remove'), cancel: t('cancel') }))) return;
    await attempt(words, async () => {
      show(await call('identity', 'remove_passkey', { id: id(), passkey: passkey.passkey }));
      say(t('passkeys.removed', { name }));
    });
  };
  const callIt = (wanted) => call('identity', 'rename_passkey', { id: id(), passkey: passkey.passkey, name: wanted });
  return h(
    'li',
    { class: 'row' },
    icon('key'),
    h('span', { class: 'words' }, h('strong', {}, name), h('span', { class: 'small soft' }, used), h('span', { class: 'small soft' }, where), h('span', { class: 'small soft' }, t('passkeys.since', { date: date(passkey.made_ms) }))),
    h(
      'span',
      { class: 'actions' },
      h('button', { type: 'button', class: 'quiet', onclick: () => rename(words, name, async (wanted) => show(await callIt(wanted))), 'aria-label': t('rename_which', { name }) }, t('rename')),
      h('button', { type: 'button', class: 'quiet danger', onclick: remove, 'aria-label': t('passkeys.remove_which', { name }) }, t('passkeys.remove')),
    ),
  );
}
