/**
 * Lets this browser in with the code of the link: of the console at once, of another device when the person has
 * chosen there the number that this page shows. Offers nothing without a code.
 */
import { takeCode } from './code.js';
import { fill, h } from '/sdk/dom.js';
import { call } from './api.js';
import { speak } from './prefs.js';

/** How often a device asks whether its number was chosen. */
const ASK_MS = 1000;

const code = takeCode();
const view = document.getElementById('view');
const { t } = await speak();

if (code.startsWith('new-')) await knock();
else if (code) await pair();
else explain();

async function pair() {
  show(t('pair.title'), h('p', { role: 'status' }, t('pair.working')));
  try {
    await call('identity', 'pair', { code });
    location.replace('/');
  } catch (problem) {
    failed(problem, pair, t('pair.again'));
  }
}

async function knock() {
  show(t('pair.title'), h('p', { role: 'status' }, t('pair.working')));
  try {
    const { number, wait } = await call('identity', 'knock', { code });
    show(t('knock.title'), h('p', {}, t('knock.how')), h('p', { class: 'number', role: 'status', 'aria-label': t('knock.number', { n: number }) }, number), h('p', { class: 'soft' }, t('knock.waits')));
    await enter(wait);
  } catch (problem) {
    failed(problem, knock, t('knock.again'));
  }
}

/** Asks until it is decided; what the network loses on the way is asked again. */
async function enter(wait) {
  for (;;) {
    const { state } = await call('identity', 'enter', { wait }).catch((problem) => (problem.code === 'offline' ? { state: 'waits' } : Promise.reject(problem)));
    if (state === 'in') return location.replace('/');
    if (state !== 'waits') return show(t('pair.failed'), h('p', { role: 'alert' }, t(`knock.${state}`)), h('p', { class: 'soft' }, t('knock.again')));
    await new Promise((resolve) => setTimeout(resolve, ASK_MS));
  }
}

function failed(problem, act, hint) {
  const text = problem.code === 'offline' ? t('problem.offline') : problem.sentence;
  const again = h('button', { type: 'button', class: 'main', onclick: act }, t('open.again'));
  show(t('pair.failed'), h('p', { role: 'alert' }, text), problem.retry === 'no' ? h('p', { class: 'soft' }, hint) : again);
}

function explain() {
  show(
    t('pair.explain.title'),
    h('p', {}, t('pair.explain')),
    h('ol', { class: 'steps' }, h('li', {}, t('unpaired.step1')), h('li', {}, t('unpaired.step2'))),
  );
}

function show(title, ...content) {
  document.title = title;
  fill(view, h('div', { class: 'page narrow' }, picture(), h('h1', {}, title), content));
}

function picture() {
  return h('img', { src: '/shell/icon.svg', alt: '', width: 48, height: 48 });
}
