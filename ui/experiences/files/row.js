/** One file or folder: opening it, and what can be done with it. */
import { fill, h, sure } from './sdk/twin.js';

export function row(twin, words, item, { say, moving, refresh, trash }) {
  const { t, when } = words;
  const folder = item.kind === 'folder';
  const name = item.name ?? t('nameless');
  const act = (method, more = {}) => twin.files[method]({ id: twin.id(), item: item.item, ...more }).then(() => say(), say);
  const open = () => {
    if (folder) twin.go(`/${item.item}`);
    else if (item.link) twin.download(item.link);
  };
  const about = [!folder && words.size(item.size), when(item.trashed_ms ?? item.changed_ms)].filter(Boolean).join(' · ');
  const place = h('div', { class: 'more' });
  const tool = (key, onclick, className = '') => h('button', { class: `quiet small ${className}`, onclick }, t(key));
  const tools = trash
    ? [tool('restore', () => act('restore')), tool('delete', ({ target }) => sure(target, t('delete.sure'), () => act('delete')), 'danger')]
    : [
        tool('rename', () => fill(place, rename())),
        tool('move', () => ((moving.item = item), refresh())),
        !folder && tool('versions', () => versions().catch(say)),
        tool('trash.put', () => act('trash', { if_rev: item.rev }), 'danger'),
      ];
  return h('li', { class: folder ? 'folder' : 'file' },
    h('button', { class: 'open row', disabled: trash, onclick: open },
      item.preview ? h('img', { src: twin.thing(item.preview), alt: '', loading: 'lazy', width: 40, height: 40 }) : h('span', { class: 'sign', 'aria-hidden': 'true' }),
      h('strong', { dir: 'auto' }, name), h('span', { class: 'small soft' }, about)),
    h('details', { name: 'tools' }, h('summary', { 'aria-label': t('tools', { name }) }, h('span', { 'aria-hidden': 'true' }, '⋯')), h('div', { class: 'tools' }, tools), place));

  function rename() {
    const field = h('input', { value: item.name ?? '', 'aria-label': t('rename.to', { name }), maxlength: 255, required: true });
    const save = (event) => event.preventDefault() || act('move', { name: field.value.trim().normalize('NFC'), if_rev: item.rev });
    queueMicrotask(() => field.focus());
    return h('form', { onsubmit: save }, field, h('button', {}, t('save')));
  }

  async function versions() {
    const { items } = await twin.files.versions({ item: item.item, limit: 50 });
    const back = (version) => tool('version.back', () => act('restore_version', { version, if_rev: item.rev }));
    const line = ({ version, size: bytes, made_ms, link }, at) =>
      h('li', {}, h('span', { class: 'small' }, `${when(made_ms)} · ${words.size(bytes)}`),
        link && tool('version.get', () => twin.download(link)),
        at === 0 ? h('span', { class: 'small soft' }, t('version.now')) : link && back(version));
    fill(place, h('ul', { class: 'versions', 'aria-label': t('versions') }, items.map(line)));
  }
}
