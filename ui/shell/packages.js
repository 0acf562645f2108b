/**
 * Which experiences there are: adding one, going back to a version, removing one. Shows what a package is, who made it
 * and what changes before anything is installed; what it may see is chosen when it asks.
 */
import { fill, h } from '/sdk/dom.js';
import { call, id } from './api.js';
import { attempt, confirm, open, say } from './dialog.js';
import { events } from './events.js';
import { upload } from './upload.js';
import { titleOf } from './view-home.js';

export function experiences(app, signal) {
  const { t } = app.words;
  const list = h('ul', { class: 'rows' });
  const load = async () => {
    const { items } = await events.reached(() => call('experiences', 'list', {}, { signal }), signal);
    fill(list, items.map((one) => row(app, one, load)));
  };
  const pick = h('input', { type: 'file', hidden: true, onchange: () => add(pick.files[0]) });
  const add = async (file) => {
    pick.value = '';
    if (!file) return;
    await attempt(app.words, async () => {
      const sent = await upload(file, { signal, sent: () => {} });
      if (await offer(app, { upload: sent })) await load();
    });
  };
  attempt(app.words, load);
  return [h('p', { class: 'soft' }, t('packages.how')), list, pick, h('div', { class: 'actions' }, h('button', { type: 'button', onclick: () => pick.click() }, t('packages.add')))];
}

/**
 * Shows a package and installs it if the person says so.
 * @param {object} app
 * @param {{upload?: string, link?: string}} source
 * @returns {Promise<boolean>} whether it was installed
 */
export async function offer(app, source) {
  const { t, locale } = app.words;
  const about = await call('experiences', 'inspect', { source });
  const title = titleOf(about, app.words);
  const named = (things) => new Intl.ListFormat(locale).format(things.map((one) => (app.words.has(`package.wants.${one}`) ? t(`package.wants.${one}`) : one)));
  const lines = [
    about.installed ? t('package.update', { from: about.installed, to: about.version }) : t('package.version', { version: about.version }),
    t('package.made', { by: made(about.author, t) }),
    about.new.length > 0 && t(about.installed ? 'package.more' : 'package.wants', { what: named(about.new) }),
    about.dropped.length > 0 && t('package.less', { what: named(about.dropped) }),
    t('package.sees_nothing'),
  ];
  const sure = await confirm({ title: t(about.installed ? 'package.update.title' : 'package.install.title', { title }), text: lines.filter(Boolean), action: t(about.installed ? 'package.update.do' : 'package.install.do'), cancel: t('cancel'), danger: false });
  if (!sure) return false;
  await call('experiences', 'install', { source, hash: about.hash });
  say(t('package.installed', { title, version: about.version }));
  return true;
}

/** Who made it, in words. */
function made({ me, name, twin }, t) {
  return me ? t('package.by.me') : name ? t('package.by', { name }) : t('package.by.stranger', { id: twin.slice(0, 12) });
}

function row(app, experience, again) {
  const { t } = app.words;
  const title = titleOf(experience, app.words);
  const { name, version, author, release } = experience;
  const by = author ? made(author, t) : t('package.by.twin');
  const remove = async () => {
    const text = [t('package.remove.what'), t('package.remove.stays')];
    if (!(await confirm({ title: t('package.remove.title', { title }), text, action: t('package.remove'), cancel: t('cancel') }))) return;
    if (await attempt(app.words, () => call('experiences', 'remove', { id: id(), name }))) {
      say(t('package.removed', { title }));
      await again();
    }
  };
  const back = async () => {
    const { items } = await call('experiences', 'releases', { name });
    const chosen = await open({ title: t('package.versions.title', { title }), content: (close) => versions(app, items, close) });
    if (chosen === undefined) return;
    await call('experiences', 'roll_back', { id: id(), name, release: chosen });
    say(t('package.rolled_back', { title }));
    await again();
  };
  return h(
    'li',
    { class: 'row' },
    h('span', { class: 'words' }, h('strong', {}, title), h('span', { class: 'small soft' }, `${t('package.version', { version })} · ${by}`)),
    release !== undefined && [
      h('button', { type: 'button', class: 'quiet', onclick: () => attempt(app.words, back), 'aria-label': t('package.versions.of', { title }) }, t('package.versions')),
      h('button', { type: 'button', class: 'danger', onclick: remove, 'aria-label': t('package.remove.of', { title }) }, t('package.remove')),
    ],
  );
}

function versions({ words }, items, close) {
  const { t } = words;
  const line = ({ release, version, used, since_ms }) =>
    h('li', { class: 'row' }, h('span', { class: 'words' }, h('strong', {}, version), h('span', { class: 'small soft' }, words.date(since_ms))),
      used ? h('span', { class: 'small soft' }, t('package.used')) : h('button', { type: 'button', onclick: () => close(release), 'aria-label': t('package.use.of', { version }) }, t('package.use')));
  return [h('ul', { class: 'rows' }, items.map(line)), h('div', { class: 'actions' }, h('button', { type: 'button', onclick: () => close() }, t('cancel')))];
}
