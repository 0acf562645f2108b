/**
 * An open experience in its frame. Closes the frame when the person leaves, and says why when the frame
 * had to be stopped.
 */
import { fill, h } from '/sdk/dom.js';
import { Problem, call } from './api.js';
import { Bridge } from './bridge.js';
import { attempt } from './dialog.js';
import { icon } from './icons.js';
import { offer } from './packages.js';
import { pick } from './pick.js';
import { titleOf } from './view-home.js';

export async function show(root, app, { name, signal }) {
  const { t } = app.words;
  const heading = h('h1', {}, name);
  const bar = h(
    'div',
    { class: 'bar' },
    h('a', { href: '/', class: 'button quiet', 'aria-label': t('open.home') }, icon('home')),
    heading,
  );
  const stage = h('div', { class: 'stage' }, h('p', { class: 'empty' }, t('open.opening')));
  fill(root, bar, stage);
  try {
    const [{ items }, opened] = await Promise.all([
      call('experiences', 'list', {}, { signal }),
      call('experiences', 'open', { name }, { signal }),
    ]);
    const title = titleOf(items.find((item) => item.name === name) ?? { name }, app.words);
    fill(heading, title);
    app.retitle(`${title} · ${app.me.display_name}`);
    const reopen = () => show(root, app, { name, signal });
    if (!signal.aborted) frame(stage, app, { ...opened, name, title, signal, reopen });
    else call('experiences', 'close', { frame: opened.frame }).catch(() => {});
  } catch (problem) {
    if (signal.aborted) return;
    const text = problem.code === 'offline' ? t('problem.offline') : problem.sentence;
    fill(stage, stopped(t('open.failed'), text, t('open.again'), () => show(root, app, { name, signal })));
  }
}

function frame(stage, app, { frame: id, token, url, name, title, signal, reopen }) {
  const { t } = app.words;
  const iframe = h('iframe', {
    title,
    sandbox: 'allow-scripts allow-forms',
    allow: '',
    referrerpolicy: 'no-referrer',
    src: url,
  });
  const bridge = new Bridge(iframe, {
    name,
    token,
    surroundings: () => ({ ...look(app), route: route() }),
    download: (link) => h('a', { href: `/x/${id}/${link}`, download: true }).click(),
    install: (link) => install(app, id, link),
    pick: (wish) => pick(app, { name, title, wish }),
    routed: (to) => to !== route() && history.pushState(null, '', `${location.pathname}${location.search}#${to}`),
    ended: (why) => {
      const text = app.words.has(`open.ended.${why}`) ? t(`open.ended.${why}`) : t('open.ended.malformed');
      fill(stage, stopped(t('open.ended', { title }), text, t('open.again'), reopen));
    },
  });
  let loads = 0;
  iframe.addEventListener('load', () => ++loads > 1 && bridge.close('reloaded'));
  const close = () => {
    bridge.close();
    call('experiences', 'close', { frame: id }, { keepalive: true }).catch(() => {});
  };
  signal.addEventListener('abort', close);
  const pushed = { signal };
  // A page that the browser keeps for the way back keeps its frame; one that ends takes it along.
  window.addEventListener('pagehide', ({ persisted }) => persisted || close(), pushed);
  window.addEventListener('popstate', () => bridge.set({ route: route() }), pushed);
  window.addEventListener('hashchange', () => bridge.set({ route: route() }), pushed);
  fill(stage, iframe);
}

/**
 * Shows the package behind a link that the experience itself may follow: its frame is asked first, for the shell could
 * read more. What is wrong with it the person is told; the experience learns only whether it was installed.
 */
async function install(app, frame, link) {
  let installed = false;
  await attempt(app.words, async () => {
    const found = await fetch(`/x/${frame}/${link}`, { headers: { Range: 'bytes=0-0' }, credentials: 'omit' }).catch(() => {
      throw new Problem({ code: 'offline', retry: 'later' });
    });
    await found.body?.cancel();
    if (!found.ok) throw new Problem({ code: 'not_found', detail: app.words.t('open.no_link') });
    installed = await offer(app, { link });
  });
  return installed;
}

function look(app) {
  const root = document.documentElement;
  return { lang: app.words.lang, dir: root.dir, theme: root.dataset.theme ?? '' };
}

function route() {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return '';
  }
}

function stopped(title, text, action, again) {
  return h(
    'div',
    { class: 'empty', role: 'alert' },
    h('h2', {}, title),
    h('p', {}, text),
    h('button', { type: 'button', class: 'main', onclick: again }, action),
  );
}
