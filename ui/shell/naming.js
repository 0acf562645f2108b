/** Asks what something of one's own shall be called. Never calls it anything by itself. */
import { h } from '/sdk/dom.js';
import { attempt, open } from './dialog.js';

/**
 * @param {object} words
 * @param {string} now what it is called
 * @param {(wanted: string) => Promise<void>} act does it
 */
export async function rename(words, now, act) {
  const { t } = words;
  const wanted = await open({
    title: t('rename.title', { name: now }),
    content: (close) => {
      const field = h('input', { id: 'new-name', value: now, required: true, maxlength: 60, autocomplete: 'off', autofocus: true, onfocus: () => field.select() });
      const send = (event) => {
        event.preventDefault();
        if (field.value.trim()) close(field.value.trim());
      };
      return h(
        'form',
        { class: 'fields', onsubmit: send },
        h('label', { for: 'new-name' }, t('rename.label')),
        field,
        h('div', { class: 'actions' }, h('button', { type: 'button', class: 'quiet', onclick: () => close() }, t('cancel')), h('button', { class: 'main' }, t('save'))),
      );
    },
  });
  if (wanted) await attempt(words, () => act(wanted));
}
