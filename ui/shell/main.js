/**
 * Starts the shell: language, who this is, which view. Holds nothing that a view could keep itself.
 */
import { fill, h } from '/sdk/dom.js';
import { call, session } from './api.js';
import { say } from './dialog.js';
import { events } from './events.js';
import { navigation } from './navigation.js';
import { flushAll } from './outbox.js';
import { speak } from './prefs.js';
import { Router } from './router.js';
import { forgetLast } from './shelf.js';
import { show as contacts } from './view-contacts.js';
import { show as history } from './view-history.js';
import { show as home } from './view-home.js';
import { show as open } from './view-open.js';
import { show as settings } from './view-settings.js';
import { show as spaces } from './view-spaces.js';
import { show as unpaired } from './view-unpaired.js';

/** How long a lost connection stays unmentioned: most are back before anybody noticed. */
const QUIET_MS = 1200;
/** How long to wait before asking again who this is. */
const AGAIN_MS = 2000;

const view = document.getElementById('view');
const line = document.getElementById('line');
let quiet;

/** What every view gets: texts, the person, and ways to move. */
const app = { words: await speak(), me: undefined, go: () => {}, retitle: () => {}, renamed: () => {} };
document.getElementById('skip').append(app.words.t('nav.skip'));

session.addEventListener('ended', () => app.me && location.assign('/'));
session.addEventListener('unreached', () => events.doubt());
await begin();

async function begin() {
  const late = setTimeout(() => tell('line.connecting'), QUIET_MS);
  const problem = await call('identity', 'me').then((me) => void (app.me = me), (wrong) => wrong);
  clearTimeout(late);
  if (problem?.code === 'offline' || (problem && problem.status !== 401 && problem.retry !== 'no')) {
    tell('line.offline');
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    return begin();
  }
  line.replaceChildren();
  if (!problem) return run();
  if (problem.status !== 401) return wrong(problem);
  // Signed out elsewhere: what was shown here must not stay. What waits to be sent stays until it is.
  forgetLast().catch(() => {});
  unpaired(view, app);
}

function tell(key) {
  fill(line, h('p', {}, app.words.t(key)));
}

function run() {
  const top = document.getElementById('top');
  const mark = navigation(top, app);
  const show = (name, opened) => {
    say('');
    mark(name, opened);
  };
  const router = new Router(view, app, { home, contacts, spaces, history, settings, open }, show);
  app.go = (path) => router.go(path);
  app.retitle = (title) => router.retitle(title);
  events.addEventListener('state', network);
  events.start();
  // Also when nothing is ever heard of a connection.
  network();
  router.start();
}

/** One quiet line while the twin is out of reach; it goes away by itself. */
function network() {
  clearTimeout(quiet);
  const { state } = events;
  if (state === 'open') {
    line.replaceChildren();
    flushAll().catch(() => {});
  } else if (state !== 'resting') {
    quiet = setTimeout(() => tell(`line.${state}`), QUIET_MS);
    // A socket does not say why it failed: ask once whether this browser is still signed in.
    if (state === 'offline') call('identity', 'me').catch(() => {});
  }
}

function wrong(problem) {
  document.title = app.words.t('wrong.title');
  fill(
    view,
    h('div', { class: 'page narrow' }, h('h1', {}, app.words.t('wrong.title')), h('p', {}, problem.sentence)),
  );
}
