/** One open conversation: its messages, oldest first, and the field to write in. */
import { fill, h, keep, roving, stick } from './sdk/twin.js';
import { composer } from './composer.js';
import { attached } from './files.js';

export function openThread(root, twin, words, about, drafts) {
  const { t } = words;
  const id = about.conversation;
  const name = about.with.me ? t('self') : about.with.name;
  const group = Boolean(about.members);
  const whom = h('p', { class: 'small soft whom', dir: 'auto' });
  const over = new AbortController();
  const live = twin.live({ capability: 'chat', method: 'messages', body: { conversation: id }, type: 'message', order: 'time_ms' }, over);
  const earlier = h('button', { class: 'quiet', hidden: true, onclick: () => live.loadMore() }, t('earlier'));
  const hint = h('p', { class: 'empty' });
  const list = roving(h('ol', { 'aria-label': t('messages') }), '.message', -1);
  const scroll = stick(h('div', { class: 'scroll' }, earlier, hint, list));
  const write = composer(twin, words, live, { id, name, group, drafts });
  const back = h('button', { class: 'quiet back', 'aria-label': t('back'), onclick: () => twin.go('') }, '‹');
  let marked;
  fill(root, h('header', {}, back, h('div', { class: 'words' }, h('h1', { dir: 'auto' }, name), whom)), scroll, write.form, write.closed);
  document.addEventListener('visibilitychange', read, over);
  live.watch(show);
  if (matchMedia('(hover: hover)').matches) write.field.focus();
  return { id, update: (now) => show((about = now)), close: () => over.abort() };

  function show() {
    const { items, more, ready, problem } = live;
    [write.form.hidden, write.closed.hidden] = [!about.open, about.open];
    fill(root.querySelector('h1'), about.with.me ? name : about.with.name);
    fill(whom, group && names(about.members));
    keep(list, words.byDay(items.toReversed(), (item) => item.time_ms).flatMap(rows), (row) => row.key, message);
    earlier.hidden = !more;
    fill(hint, problem ? problem.sentence : ready && !items.length && t(about.with.me ? 'empty.self' : group ? 'empty.group' : 'empty', { name }));
    read();
  }

  /** Marks as read what is really on a screen. */
  function read() {
    const newest = live.items.find((item) => !item.author.me);
    if (document.hidden || !about.unread || !newest || newest.message === marked) return;
    marked = newest.message;
    twin.chat.read({ id: twin.id(), conversation: id, up_to: marked, author: newest.author.id }).catch(() => (marked = undefined));
  }

  /** A day, and each message with what its neighbours change about it. */
  function rows([day, said]) {
    const mine = live.items.filter((item) => item.author.me);
    const seen = mine.findIndex((item) => item.message === about.read_up_to_by_other);
    return [{ key: day, day }, ...said.map((item, index) => {
      const place = mine.indexOf(item);
      const answered = item.reply_to && live.items.find((other) => other.message === item.reply_to);
      const state = item.state === 'delivered' && seen >= 0 && place >= seen ? 'read' : item.state;
      return { ...item, key: `${from(item)} ${item.message}`, joined: Boolean(said[index - 1]) && from(said[index - 1]) === from(item), answered, state, last: place === 0 };
    })];
  }

  function names(members) {
    return members.length ? t('with', { names: new Intl.ListFormat(words.locale).format(members.map((one) => one.name)) }) : t('alone');
  }

  function message(row) {
    if (row.day) return h('li', { class: 'day' }, h('h2', {}, row.day));
    const { me } = row.author;
    const gone = row.deleted ? t('deleted') : row.needs_update ? t('update') : row.erased && t('erased');
    const told = row.waiting ? 'waiting' : me && (row.last || ['queued', 'held', 'refused', 'withdrawn'].includes(row.state)) && row.state;
    const notes = [words.time(row.time_ms), row.edited_ms && !gone && t('edited'), row.refused || (told && t(`state.${told}`, { name }))];
    return h('li', { class: `message ${me ? 'mine' : ''} ${row.joined ? 'joined' : ''}`, tabindex: -1 },
      h('span', { class: group && !me && !row.joined ? 'small soft who' : 'unseen', dir: 'auto' }, me ? t('you') : row.author.name),
      h('div', { class: 'bubble' },
        row.answered && !gone && h('blockquote', { dir: 'auto' }, row.answered.text || row.answered.attachments?.[0].name || t('deleted')),
        !gone && attached(twin, words, row),
        (gone || row.text) && h('p', { class: gone ? 'text soft' : 'text', dir: 'auto' }, gone || row.text),
        h('p', { class: 'small soft' }, notes.filter(Boolean).join(' · '))),
      !gone && h('div', { class: 'tools', role: 'group', 'aria-label': t('tools') }, write.tools(row)));
  }
}

/** Whose a message is; one's own has no id before it is sent. */
function from({ author }) {
  return author.me || author.id;
}
