/** To-do: lists of tasks, each in a space, so that several people tick them at once. Keeps nothing beyond the page. */
import { connect, fill, h, keep } from './sdk/twin.js';
import { row } from './row.js';

const TYPE = 'hometwin/task@1';
const twin = await connect();
const words = await twin.messages();
const { t } = words;
const main = document.getElementById('lists');
const spaces = twin.live({ capability: 'spaces', method: 'list', body: { limit: 200 }, topic: {}, type: 'space' });
let open;
twin.addEventListener('route', render);
spaces.watch(render);

/** Which lists there are, and the one that the address names or the first. */
function render() {
  const lists = [...spaces.items].sort((a, b) => called(a).localeCompare(called(b), words.locale));
  const here = lists.find(({ space }) => twin.route === `/${space}`) ?? lists[0];
  if (open && open.id === here?.space) return open.update(here, lists);
  open?.close();
  open = here && openList(here, lists);
  if (here) return;
  const { problem, ready } = spaces;
  fill(main, problem ? h('p', { class: 'empty', role: 'alert' }, problem.sentence) : ready && welcome());
}

function welcome() {
  return h('div', { class: 'empty' }, h('h1', {}, t('first')), h('p', {}, t('first.what')), h('button', { class: 'main', onclick: another }, t('pick')));
}

async function another() {
  const chosen = await twin.pick({ kind: 'space', types: [TYPE] });
  if (!chosen) return;
  spaces.reload();
  if (chosen.thing) twin.go(`/${chosen.thing}`);
}

function called({ name }) {
  return name ?? t('nameless');
}

function openList(space, lists) {
  const id = space.space;
  const body = { space: id, type: TYPE };
  const live = twin.live({ capability: 'records', method: 'query', body: { ...body, limit: 200 }, topic: body, type: 'record' });
  const [head, problem, none] = [h('header'), h('p', { class: 'small', role: 'status' }), h('p', { class: 'empty soft' })];
  const [todo, done] = [h('ul', { 'aria-label': t('open') }), h('ul', { 'aria-label': t('done') })];
  const summary = h('summary');
  const finished = h('details', { class: 'finished' }, summary, done);
  const field = h('input', { 'aria-label': t('new'), placeholder: t('new'), maxlength: 500, autocomplete: 'off', enterkeyhint: 'done' });
  const form = h('form', { onsubmit: add }, field, h('button', { class: 'main' }, t('add')));
  const say = (what) => fill(problem, what?.sentence ?? '');
  const act = { put: (item, fields) => change('put', item, { fields }), remove: (item) => change('remove', item), say };
  fill(main, head, form, problem, todo, none, finished);
  live.watch(show);
  update(space, lists);
  return { id, update, close: () => live.close() };

  function update(now, all) {
    space = now;
    fill(head, tabs(all, now), h('p', { class: 'small soft' }, withWhom(now)));
    form.hidden = now.role === 'viewer';
    show();
  }

  function show() {
    if (live.more) live.loadMore().catch(say);
    const items = [...live.items].sort((a, b) => a.made_ms - b.made_ms || (a.record < b.record ? -1 : 1));
    const [left, ticked] = [items.filter(({ fields }) => !fields.done), items.filter(({ fields }) => fields.done)];
    const make = (item) => row(words, item, act, space);
    keep(todo, left, ({ record }) => record, make);
    keep(done, ticked.sort((a, b) => (b.fields.done_ms ?? 0) - (a.fields.done_ms ?? 0)), ({ record }) => record, make);
    finished.hidden = !ticked.length;
    fill(summary, t('finished', { n: ticked.length }));
    fill(none, live.problem?.sentence ?? (live.ready && !left.length && t(ticked.length ? 'all_done' : 'empty')));
    none.hidden = !none.textContent;
  }

  function add(event) {
    event.preventDefault();
    const title = field.value.trim();
    if (!title) return;
    const [record, now] = [twin.id(), Date.now()];
    const fields = { title, done: false };
    live.put({ record, ...body, fields, made_ms: now, made_by: { me: true }, waiting: true });
    field.value = '';
    say();
    twin.records.put({ id: record, ...body, fields }).catch((wrong) => (live.drop(record), say(wrong), (field.value ||= title)));
  }

  /** Shown at once; what the twin refuses goes back to what it was. */
  function change(method, item, more = {}) {
    const fields = { ...item.fields, ...more.fields };
    if (more.fields) live.put({ ...item, fields });
    return twin.records[method]({ id: twin.id(), ...body, record: item.record, ...more }).then(() => say(), (wrong) => {
      if (more.fields) live.drop(item.record);
      say(wrong);
    });
  }
}

/** One list is its heading; several are a row of them. */
function tabs(all, here) {
  const link = (one) =>
    one.space === here.space
      ? h('h1', { 'aria-current': 'page', dir: 'auto' }, called(one))
      : h('button', { class: 'quiet', dir: 'auto', onclick: () => twin.go(`/${one.space}`) }, called(one));
  return h('nav', { 'aria-label': t('lists') }, all.map(link), h('button', { class: 'quiet other', onclick: another }, t('another')));
}

function withWhom({ members }) {
  const names = members.filter(({ person, joined }) => joined && !person.me).map(({ person }) => person.name);
  return names.length ? t('with', { names: new Intl.ListFormat(words.locale).format(names) }) : t('alone');
}
