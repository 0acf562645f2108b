/** Files with messages: sending them, and showing what came. */
import { describe, fill, h, isPicture } from './sdk/twin.js';

/** Pictures up to so many bytes are shown as they are. */
const SHOWN_MAX = 8 * 1024 * 1024;

/** What was done with a file, for as long as the page is open: its message may be drawn anew meanwhile. */
const done = new Map();

/** A button that sends files; the first of them with what is written. */
export function attacher(twin, { t }, conversation, { doing, fail, take }) {
  const pick = h('input', { type: 'file', multiple: true, hidden: true, onchange: () => send([...pick.files]) });
  return [pick, h('button', { type: 'button', class: 'quiet attach', 'aria-label': t('attach'), onclick: () => pick.click() }, '+')];

  async function send(files) {
    pick.value = '';
    let text = take();
    for (const file of files) {
      const stop = new AbortController();
      const bar = h('progress', { max: file.size || 1, 'aria-label': t('sending', { name: file.name }) });
      fill(doing, h('span', {}, t('sending', { name: file.name })), bar, h('button', { type: 'button', class: 'quiet small', onclick: () => stop.abort() }, t('cancel')));
      try {
        const about = await describe(file);
        const upload = await twin.upload(file, { signal: stop.signal, progress: (bytes) => (bar.value = bytes) });
        await twin.chat.send({ id: twin.id(), conversation, text, attachments: [{ upload, ...about }] });
        text = '';
        fill(doing);
      } catch (problem) {
        take(text);
        return stop.signal.aborted ? fill(doing) : fail(problem);
      }
    }
  }
}

/** The files of a message. */
export function attached(twin, words, { message, author, attachments = [] }) {
  const { t } = words;
  return attachments.map((file, number) => {
    const place = `told-${message}-${number}`;
    const told = h('span', { id: place, class: 'small soft', role: 'status' }, done.get(place));
    const tell = (text) => done.set(place, text) && fill(document.getElementById(place) ?? told, text);
    const say = (problem) => tell(problem.sentence);
    const which = () => ({ id: twin.id(), message, author: author.id, number });
    const keep = async () => {
      const kept = await twin.chat.keep(which()).catch(async (problem) => {
        if (problem.code === 'not_found' && (await twin.pick({ kind: 'folder' }))) return twin.chat.keep(which());
        throw problem;
      });
      tell(t('kept', { name: kept.name ?? file.name }));
    };
    const tool = (key, act) => h('button', { type: 'button', class: 'quiet small', onclick: act, 'aria-label': t(`${key}.what`, { name: file.name }) }, t(key));
    const whole = file.state === 'here' && isPicture(file.media_type) && file.size <= SHOWN_MAX;
    const source = whole ? file.link : file.preview;
    const about = [words.size(file.size), file.state === 'coming' && file.size ? t('coming', { part: Math.floor((100 * (file.here ?? 0)) / file.size) }) : !['here', 'waiting'].includes(file.state) && t(`file.${file.state}`)];
    return h('figure', { class: 'file' },
      source && h('img', { src: twin.thing(source), alt: t('picture', { name: file.name }), loading: 'lazy' }),
      h('figcaption', {}, h('strong', { dir: 'auto' }, file.name), h('span', { class: 'small soft' }, about.filter(Boolean).join(' · ')), told,
        h('span', { class: 'actions' },
          file.state === 'here' && tool('get', () => twin.download(file.link)),
          file.state === 'here' && file.name.endsWith('.experience') && tool('install', () => twin.install(file.link).catch(say)),
          file.state === 'here' && tool('keep', () => keep().catch(say)),
          ['waiting', 'no_room'].includes(file.state) && tool('fetch', () => twin.chat.fetch(which()).catch(say)))));
  });
}
