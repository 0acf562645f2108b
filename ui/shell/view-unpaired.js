/** What a browser sees that the twin does not know: how to come in, and nothing else. */
import { fill, h } from '/sdk/dom.js';
import { hindrance, inWords, signIn } from './passkey.js';

export function show(root, { words }) {
  const { t } = words;
  const why = hindrance();
  document.title = t('unpaired.title');
  root.className = 'view unpaired';
  const steps = h('ol', { class: 'steps' }, h('li', {}, t('unpaired.step1')), h('li', {}, t('unpaired.step2')));
  const others = [h('p', {}, t('unpaired.what')), steps];
  fill(
    root,
    h(
      'div',
      { class: 'page narrow' },
      h('img', { src: '/shell/icon.svg', alt: '', width: 48, height: 48 }),
      h('h1', {}, t('unpaired.title')),
      why ? [h('p', { class: 'soft' }, t(`passkey.${why}`)), others] : [withPasskey(t), h('details', { class: 'others' }, h('summary', {}, t('unpaired.other')), others)],
      h('p', { class: 'soft small' }, t('unpaired.why')),
    ),
  );
}

function withPasskey(t) {
  const problem = h('p', { role: 'alert', class: 'danger' });
  const enter = async () => {
    button.disabled = true;
    fill(problem);
    fill(button, t('unpaired.entering'));
    try {
      await signIn();
      // Stays at the address that was opened.
      location.reload();
    } catch (wrong) {
      fill(problem, inWords(wrong, t));
      button.disabled = false;
      fill(button, t('unpaired.enter'));
      button.focus();
    }
  };
  const button = h('button', { type: 'button', class: 'main wide', onclick: enter }, t('unpaired.enter'));
  return [h('p', {}, t('unpaired.passkey')), button, problem];
}
