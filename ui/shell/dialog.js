/**
 * Dialogs of the shell: the browser's own, so Escape, focus and the way back work as people know them.
 * Never asks for anything without saying what happens.
 */
import { h } from '/sdk/dom.js';

/**
 * Opens a dialog and waits until it is closed.
 * @template T
 * @param {{title: string, className?: string, content: (close: (value?: T) => void) => any[]}} options
 * @returns {Promise<T|undefined>} what `close` was called with; undefined when dismissed
 */
export function open({ title, className = '', content }) {
  return new Promise((resolve) => {
    let value;
    const close = (chosen) => {
      value = chosen;
      dialog.close();
    };
    const heading = h('h2', { id: 'dialog-title' }, title);
    const dialog = h('dialog', { class: className, 'aria-labelledby': 'dialog-title' }, heading, content(close));
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(value);
    });
    dialog.addEventListener('click', (event) => event.target === dialog && dialog.close());
    document.body.append(dialog);
    dialog.showModal();
  });
}

/**
 * Asks before something that matters.
 * @param {{title: string, text: string|string[], action: string, cancel: string, danger?: boolean}} options
 * @returns {Promise<boolean>}
 */
export async function confirm({ title, text, action, cancel, danger = true }) {
  const sure = await open({
    title,
    content: (close) => [
      [text].flat().map((line) => h('p', {}, line)),
      h(
        'div',
        { class: 'actions' },
        h('button', { type: 'button', autofocus: true, onclick: () => close() }, cancel),
        h('button', { type: 'button', class: danger ? 'main danger' : 'main', onclick: () => close(true) }, action),
      ),
    ],
  });
  return sure === true;
}

let clear;

/** Says something in the line at the bottom, politely, and takes it away again. @param {string} text */
export function say(text) {
  const line = document.getElementById('said');
  line.replaceChildren(text ? h('p', {}, text) : '');
  clearTimeout(clear);
  if (text) clear = setTimeout(() => line.replaceChildren(), 4000 + text.length * 60);
}

/** Runs an action of the person; a problem is said in words. @returns {Promise<boolean>} whether it worked */
export async function attempt(words, action) {
  try {
    await action();
    return true;
  } catch (problem) {
    if (problem.name === 'AbortError') return false;
    say(problem.code === 'offline' ? words.t('problem.offline') : problem.sentence || words.t('problem.unknown'));
    return false;
  }
}
