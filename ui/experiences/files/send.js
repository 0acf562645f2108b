/** Sending files: each has a line with how far it is; what has a taken name waits for a decision. */
import { announce, describe, fill, h } from './sdk/twin.js';

export function sender(twin, { t }, folder, items) {
  const list = h('ul', { class: 'sending', 'aria-label': t('sending') });
  return { list, all: (files) => [...files].forEach(one) };

  async function one(file) {
    const into = folder();
    const { name, ...about } = await describe(file);
    const stop = new AbortController();
    const bar = h('progress', { max: file.size || 1, 'aria-label': t('sending.what', { name }) });
    const doing = h('span', { class: 'small', role: 'status' });
    const cancel = h('button', { class: 'quiet small', onclick: () => stop.abort() }, t('cancel'));
    const line = h('li', {}, h('strong', { dir: 'auto' }, name), bar, doing, cancel);
    list.append(line);
    const fail = (problem) => {
      if (stop.signal.aborted) return line.remove();
      fill(bar.remove() ?? doing, problem.code === 'file_gone' ? t('gone') : problem.sentence);
      fill(cancel, t('close')).onclick = () => line.remove();
    };
    const done = () => line.remove() ?? announce(t('sent', { name }));
    try {
      const progress = (bytes) => (bar.value = bytes);
      const upload = await twin.upload(file, { signal: stop.signal, progress });
      const put = (as) => twin.files.put({ id: twin.id(), folder: into, name: as, upload, ...about });
      await put(name).catch((problem) => {
        if (problem.code !== 'file_exists') throw problem;
        decide(name, { line, doing, bar, done, fail, put, replace: (item) => twin.files.replace({ id: twin.id(), item, upload, ...about }) });
        throw null;
      });
      done();
    } catch (problem) {
      if (problem) fail(problem);
    }
  }

  /** Something has this name already. */
  function decide(name, { doing, bar, done, fail, put, replace }) {
    const there = items().find((item) => item.name === name && item.kind === 'file');
    const choose = (key, act) => h('button', { class: 'small', onclick: () => act().then(done, fail) }, t(key));
    bar.remove();
    fill(doing, t('taken'), there && choose('taken.replace', () => replace(there.item)), choose('taken.both', () => both(name, put)));
  }

  /** The first name like this that is free. */
  async function both(name, put, number = 2) {
    const [, stem, ending] = name.match(/^(.+?)(\.[^.]{1,10})?$/s);
    return put(`${stem} (${number})${ending ?? ''}`).catch((problem) => {
      if (problem.code !== 'file_exists' || number > 99) throw problem;
      return both(name, put, number + 1);
    });
  }
}
