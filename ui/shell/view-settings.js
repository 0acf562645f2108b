/** Settings: how the twin is, profile, what experiences may use, passkeys, devices, language and theme. */
import { fill, h } from '/sdk/dom.js';
import { call, id } from './api.js';
import { attempt, confirm, say } from './dialog.js';
import { grants } from './grants.js';
import { health } from './health.js';
import { letIn } from './letting.js';
import { experiences } from './packages.js';
import { passkeys } from './passkeys.js';
import { choose, chosen, LANGUAGES, speak } from './prefs.js';
import { sessions } from './sessions.js';
import { forgetAll } from './shelf.js';

export function show(root, app, { signal }) {
  const { t } = app.words;
  fill(
    root,
    h(
      'div',
      { class: 'page' },
      h('h1', {}, t('nav.settings')),
      part('health', t('health.title'), health(app, signal)),
      part('profile', t('profile.title'), profile(app)),
      part('looks', t('looks.title'), looks(app)),
      part('packages', t('packages.title'), experiences(app, signal)),
      part('grants', t('grants.title'), grants(app, signal)),
      part('passkeys', t('passkeys.title'), passkeys(app, signal)),
      part('sessions', t('sessions.title'), [sessions(app, signal), ways(app)]),
    ),
  );
}

function part(name, title, content) {
  return h('section', { class: 'card', 'aria-labelledby': name }, h('h2', { id: name }, title), content);
}

function profile(app) {
  const { t } = app.words;
  const name = h('input', { id: 'display-name', value: app.me.display_name, required: true, maxlength: 80, autocomplete: 'name' });
  const about = h('textarea', { id: 'about', rows: 3, maxlength: 500, value: app.me.about ?? '' });
  const save = async (event) => {
    event.preventDefault();
    const body = { id: id(), if_rev: app.me.rev, display_name: name.value.trim(), about: about.value.trim() };
    const worked = await attempt(app.words, () => call('identity', 'set_profile', body));
    app.me = await call('identity', 'me').catch(() => app.me);
    if (!worked) return;
    app.renamed();
    say(t('profile.saved'));
  };
  return h(
    'form',
    { class: 'fields', onsubmit: save },
    h('label', { for: 'display-name' }, t('profile.name')),
    name,
    h('label', { for: 'about' }, t('profile.about')),
    about,
    h('p', { class: 'soft small' }, t('profile.who_sees')),
    h('div', { class: 'actions' }, h('button', { class: 'main' }, t('save'))),
  );
}

function looks(app) {
  const { t } = app.words;
  const select = (name, options, changed) =>
    h(
      'select',
      { id: name, onchange: changed },
      options.map(([value, label]) => h('option', { value, selected: chosen(name) === value }, label)),
    );
  const languages = [['', t('looks.lang_auto')], ...Object.entries(LANGUAGES)];
  const themes = ['', 'light', 'dark'].map((theme) => [theme, t(`looks.theme.${theme || 'auto'}`)]);
  const lang = select('lang', languages, () => {
    choose('lang', lang.value);
    // Every text changes: the page starts again in the new language, at this place.
    location.replace(location.pathname);
  });
  const theme = select('theme', themes, () => {
    choose('theme', theme.value);
    speak();
  });
  return h(
    'div',
    { class: 'fields beside' },
    h('div', {}, h('label', { for: 'lang' }, t('looks.lang')), lang),
    h('div', {}, h('label', { for: 'theme' }, t('looks.theme')), theme),
    h('p', { class: 'soft small' }, t('looks.here')),
  );
}

function ways(app) {
  const { t } = app.words;
  const run = async () => {
    const text = [t('signout.what'), t('signout.back')];
    if (!(await confirm({ title: t('signout.title'), text, action: t('signout'), cancel: t('cancel') }))) return;
    await attempt(app.words, async () => {
      await call('identity', 'sign_out');
      await forgetAll().catch(() => {});
      location.assign('/');
    });
  };
  return h(
    'div',
    { class: 'actions' },
    h('button', { type: 'button', class: 'danger', onclick: run }, t('signout')),
    h('button', { type: 'button', class: 'main', onclick: () => letIn(app) }, t('letting.begin')),
  );
}
