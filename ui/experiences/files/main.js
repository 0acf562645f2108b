/** Files: which folder is open, and what can be done there. Never keeps a file beyond the page. */
import { connect, fill, h, keep, roving } from './sdk/twin.js';
import { row } from './row.js';
import { sender } from './send.js';

const twin = await connect();
const words = await twin.messages();
const { t } = words;
const main = document.getElementById('place');
const moving = { item: null };
const send = sender(twin, words, () => here.folder, () => here.live?.items ?? []);
let here = {};
twin.addEventListener('route', open);
document.addEventListener('dragover', (event) => event.preventDefault());
document.addEventListener('drop', (event) => event.preventDefault() || (!here.trash && send.all(event.dataTransfer.files)));
open();

/** Opens what the address says: the topmost folder, another one, or the trash. */
async function open() {
  const place = twin.route.slice(1);
  const trash = place === 'trash';
  here.live?.close();
  const mine = (here = { trash });
  try {
    const top = await twin.files.get({});
    const folder = place && !trash ? await twin.files.get({ item: place }) : top;
    const path = [];
    for (let up = folder; up.item !== top.item; up = await twin.files.get({ item: up.folder })) path.unshift(up);
    if (here !== mine) return;
    show(mine, folder, path);
  } catch (problem) {
    if (here !== mine) return;
    if (place && problem.code === 'not_found') twin.go('');
    else fill(main, problem.code === 'not_found' ? welcome() : h('p', { class: 'empty', role: 'alert' }, problem.sentence));
  }
}

function welcome(choose = async () => (await twin.pick({ kind: 'folder' })) && open()) {
  return h('div', { class: 'empty' }, h('h1', {}, t('first')), h('p', {}, t('first.what')), h('button', { class: 'main', onclick: choose }, t('pick')));
}

function show(mine, folder, path) {
  mine.folder = folder.item;
  const body = mine.trash ? { trash: true } : { folder: folder.item };
  mine.live = twin.live({ capability: 'files', method: 'list', body: { ...body, limit: 200 }, topic: body, type: 'item' });
  const rows = roving(h('ul', { 'aria-label': t('files') }), '.open');
  const none = h('p', { class: 'empty soft' });
  const tools = h('div', { class: 'tools' });
  const problem = h('p', { class: 'small', role: 'status' });
  const say = (what) => fill(problem, what?.sentence ?? what ?? '');
  const refresh = () => fill(tools, mine.trash ? [] : folderTools(folder, say, refresh)) && update();
  const update = () => {
    const { items, ready, more } = mine.live;
    if (more) mine.live.loadMore().catch(say);
    keep(rows, sorted(items, mine.trash), ({ item }) => item, (item) => row(twin, words, item, { say, moving, refresh, trash: mine.trash }));
    fill(none, mine.live.problem?.sentence ?? (ready && !items.length && t(mine.trash ? 'trash.empty' : 'empty')));
    none.hidden = !none.textContent;
  };
  fill(main, crumbs(path, mine.trash), tools, problem, mine.trash || send.list, rows, none);
  refresh();
  mine.live.watch(() => here === mine && update());
}

/** The way to where one is; the last part is its heading. */
function crumbs(path, trash) {
  const names = ['', ...path.map(({ item }) => item), ...(trash ? ['trash'] : [])];
  const called = [t('files'), ...path.map(({ name }) => name ?? t('nameless')), t('trash')];
  const link = (route, at) => at === names.length - 1
      ? h('h1', { 'aria-current': 'page', dir: 'auto' }, called[at])
      : [h('button', { class: 'quiet', dir: 'auto', onclick: () => twin.go(route && `/${route}`) }, called[at]), h('span', { class: 'soft', 'aria-hidden': 'true' }, '/')];
  return h('nav', { 'aria-label': t('path') }, names.map(link));
}

function folderTools(folder, say, refresh) {
  const pick = h('input', { type: 'file', multiple: true, hidden: true, onchange: () => send.all(pick.files) || (pick.value = '') });
  const name = h('input', { 'aria-label': t('folder.name'), placeholder: t('folder.name'), maxlength: 255, required: true });
  const make = (event) => {
    event.preventDefault();
    twin.files.make_folder({ id: twin.id(), folder: folder.item, name: name.value.trim().normalize('NFC') }).then(() => say() ?? refresh(), say);
  };
  const form = h('form', { hidden: true, onsubmit: make }, name, h('button', {}, t('make')));
  const unfold = () => ((form.hidden = !form.hidden), form.hidden || name.focus());
  const leave = () => ((moving.item = null), refresh());
  const drop = () => twin.files.move({ id: twin.id(), item: moving.item.item, folder: folder.item }).catch(say).then(leave);
  return [
    pick,
    h('button', { class: 'main', onclick: () => pick.click() }, t('add')),
    h('button', { onclick: unfold }, t('folder')),
    h('button', { class: 'quiet bin', onclick: () => twin.go('/trash') }, t('trash')),
    form,
    moving.item && [h('button', { onclick: drop }, t('move.here', { name: moving.item.name ?? t('nameless') })), h('button', { class: 'quiet', onclick: leave }, t('cancel'))],
  ];
}

/** Folders first, by name as people sort them; the trash as the twin has it. */
function sorted(items, trash) {
  if (trash) return [...items].sort((a, b) => b.trashed_ms - a.trashed_ms);
  const { compare } = new Intl.Collator(words.locale, { numeric: true });
  return [...items].sort((a, b) => (a.kind === b.kind ? compare(a.name ?? '', b.name ?? '') : a.kind === 'folder' ? -1 : 1));
}
