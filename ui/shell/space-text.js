/**
 * Records of a space as a text file: out, and in again after somebody edited it. Says what a file would do before it is
 * done; a file with a mistake does nothing.
 */
import { h } from '/sdk/dom.js';
import { call, id } from './api.js';
import { attempt, confirm, open, say } from './dialog.js';

/** Most characters that are read at once: what a call may have, with room for how it is written. */
const MOST = 180_000;

/** Saves what is in a space as one file. */
export async function save(app, space, name) {
  const { t } = app.words;
  await attempt(app.words, async () => {
    const [parts, how] = [[], t('records.text.how').split('\n').map((line) => `# ${line}\n`)];
    let cursor;
    do {
      const page = await call('records', 'export', { space: space.space, limit: 200, ...(cursor ? { cursor } : {}) });
      const [first, rest] = [page.text.indexOf('\n') + 1, cursor];
      parts.push(...(rest ? [page.text] : [page.text.slice(0, first), `# ${name}\n`, ...how, page.text.slice(first)]));
      cursor = page.cursor;
    } while (cursor);
    const url = URL.createObjectURL(new Blob(parts, { type: 'text/plain' }));
    h('a', { href: url, download: `${name.replaceAll(/[^\p{L}\p{N} _-]/gu, '')}.txt` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  });
}

/** Reads a file: first what it would do, then it is done. */
export async function read(app, space, name, file) {
  const { t } = app.words;
  await attempt(app.words, async () => {
    const text = await file.text();
    if (new TextEncoder().encode(JSON.stringify(text)).length > MOST) return tell(app, name, [h('p', {}, t('records.text.long'))]);
    const looked = await call('records', 'import', { id: id(), space: space.space, text, check: true });
    if (looked.mistakes?.length) return mistakes(app, looked.mistakes);
    const what = ['added', 'changed', 'removed'].filter((key) => looked[key]).map((key) => t(`records.text.${key}`, { n: looked[key] }));
    if (!what.length) return say(t('records.text.same'));
    const lines = [t('records.text.does', { space: name }), new Intl.ListFormat(app.words.locale).format(what)];
    const sure = await confirm({ title: t('records.text.read'), text: lines, action: t('records.text.do'), cancel: t('cancel'), danger: looked.removed > 0 });
    if (!sure) return undefined;
    const done = await call('records', 'import', { id: id(), space: space.space, text });
    return done.mistakes?.length ? mistakes(app, done.mistakes) : say(t('records.text.done'));
  });
}

function mistakes(app, all) {
  const { t } = app.words;
  const line = ({ line: number, wrong, what = '' }) => h('li', {}, h('strong', {}, t('records.text.line', { n: number })), ' ', t(`records.wrong.${wrong}`, { what }));
  return tell(app, t('records.text.wrong'), [h('p', {}, t('records.text.nothing')), h('ul', {}, all.map(line))]);
}

function tell(app, title, content) {
  const button = (close) => h('div', { class: 'actions' }, h('button', { type: 'button', autofocus: true, onclick: () => close() }, app.words.t('close')));
  return open({ title, content: (close) => [...content, button(close)] });
}
