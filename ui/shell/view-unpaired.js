/** What a browser sees that the twin does not know: how to be let in, and nothing else. */
import { fill, h } from '/sdk/dom.js';

export function show(root, { words }) {
  const { t } = words;
  document.title = t('unpaired.title');
  root.className = 'view unpaired';
  fill(
    root,
    h(
      'div',
      { class: 'page narrow' },
      h('img', { src: '/shell/icon.svg', alt: '', width: 48, height: 48 }),
      h('h1', {}, t('unpaired.title')),
      h('p', {}, t('unpaired.what')),
      h('ol', { class: 'steps' }, h('li', {}, t('unpaired.step1')), h('li', {}, t('unpaired.step2'))),
      h('p', { class: 'soft small' }, t('unpaired.why')),
    ),
  );
}
