/** Lets this browser in with the code of the link, or says how to get one. Offers nothing without a code. */
import { takeCode } from './code.js';
import { fill, h } from '/sdk/dom.js';
import { call } from './api.js';
import { speak } from './prefs.js';

const code = takeCode();
const view = document.getElementById('view');
const { t } = await speak();

if (code) await pair();
else explain();

async function pair() {
  show(t('pair.title'), h('p', { role: 'status' }, t('pair.working')));
  try {
    await call('identity', 'pair', { code });
    location.replace('/');
  } catch (problem) {
    const text = problem.code === 'offline' ? t('problem.offline') : problem.sentence;
    const again = h('button', { type: 'button', class: 'main', onclick: pair }, t('open.again'));
    show(t('pair.failed'), h('p', { role: 'alert' }, text), problem.retry === 'no' ? h('p', { class: 'soft' }, t('pair.again')) : again);
  }
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
