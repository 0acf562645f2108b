/** One's own card: a picture to scan and a link to send. It is made by the twin and drawn as an image only. */
import { fill, h } from '/sdk/dom.js';
import { call } from './api.js';
import { attempt, say } from './dialog.js';
import { events } from './events.js';
import { icon } from './icons.js';

/** @param {AbortSignal} signal */
export function card(app, signal) {
  const { t } = app.words;
  const picture = h('div', { class: 'code' });
  const link = h('input', { readonly: true, 'aria-label': t('card.link'), onfocus: () => link.select() });
  const copy = h('button', { type: 'button', onclick: () => toClipboard() }, icon('copy'), t('card.copy'));
  const toClipboard = async () => {
    try {
      await navigator.clipboard.writeText(link.value);
      say(t('card.copied'));
    } catch {
      link.focus();
      link.select();
      say(t('card.select'));
    }
  };
  attempt(app.words, async () => {
    const mine = await events.reached(() => call('identity', 'card', {}, { signal }), signal);
    link.value = mine.link;
    // As an image a drawing can neither run anything nor load anything.
    const url = URL.createObjectURL(new Blob([mine.svg], { type: 'image/svg+xml' }));
    signal.addEventListener('abort', () => URL.revokeObjectURL(url));
    fill(picture, h('img', { src: url, alt: t('card.picture'), width: 200, height: 200 }));
  });
  return h(
    'section',
    { class: 'card mine', 'aria-labelledby': 'card' },
    h('h2', { id: 'card' }, t('card.title')),
    h('p', { class: 'soft' }, t('card.how')),
    picture,
    h('div', { class: 'with' }, link, copy),
  );
}
