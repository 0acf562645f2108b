/** Writing, answering, editing and deleting. What is written stays in the field until it is sent. */
import { fill, h, sure } from './sdk/twin.js';
import { attacher } from './files.js';

export function composer(twin, words, live, { id, name, group, drafts }) {
  const { t } = words;
  const label = t(group ? 'write.group' : 'write', { name });
  const draft = () => editing || drafts.set(id, field.value);
  const field = h('textarea', { rows: 1, maxlength: 8000, dir: 'auto', 'aria-label': label, placeholder: label, value: drafts.get(id) ?? '', oninput: draft, onkeydown: key });
  const doing = h('p', { class: 'doing small', role: 'status' });
  const fail = (problem) => fill(doing, problem.sentence);
  const take = (back = '') => {
    const text = editing || answering ? '' : field.value.trim();
    if (!(editing || answering)) draft((field.value = back));
    return text;
  };
  // In a space there are no files with messages yet.
  const attach = !group && attacher(twin, words, id, { doing, fail, take });
  const form = h('form', { onsubmit: (event) => event.preventDefault() || send() }, doing, attach, field, h('button', { class: 'main' }, t('send')));
  let answering, editing;
  return { form, closed: h('p', { class: 'closed soft' }, t(group ? 'closed.group' : 'closed', { name })), tools, field };

  function tools(message) {
    const tool = (key, onclick, className = '') => h('button', { type: 'button', class: `quiet small ${className}`, onclick }, t(key));
    const mine = message.author.me && !message.waiting;
    const remove = () => twin.chat.delete({ id: twin.id(), message: message.message }).then(() => field.focus(), fail);
    return [
      tool('reply', () => begin(message)),
      mine && tool('edit', () => begin(undefined, message)),
      mine && tool('delete', ({ target }) => sure(target, t('delete.sure'), remove), 'danger'),
    ];
  }

  function begin(answer, edit) {
    if (edit || editing) field.value = edit?.text ?? drafts.get(id) ?? '';
    [answering, editing] = [answer, edit];
    const what = answer ? t('replying', { text: answer.text }) : edit && t('editing');
    fill(doing, what && [h('span', {}, what), h('button', { type: 'button', class: 'quiet small', onclick: () => begin() }, t('cancel'))]);
    field.focus();
  }

  function key(event) {
    const last = live.items.find((item) => item.author.me && item.text && !item.waiting);
    const edits = event.key === 'ArrowUp' && !field.value && last;
    if (event.isComposing || !(edits || event.key === 'Escape' || (event.key === 'Enter' && !event.shiftKey))) return;
    event.preventDefault();
    if (edits) begin(undefined, last);
    else if (event.key === 'Enter') send();
    else if (answering || editing) begin();
  }

  function send() {
    const text = field.value.trim();
    if (!text) return;
    const [edit, reply_to] = [editing, answering?.message];
    const own = edit ?? { message: twin.id(), conversation: id, author: { me: true }, time_ms: Date.now(), reply_to, waiting: true };
    live.put({ ...own, text, edited_ms: edit && Date.now() });
    const sent = edit
      ? twin.chat.edit({ id: twin.id(), message: edit.message, text, if_rev: edit.rev })
      : twin.chat.send({ id: own.message, conversation: id, text, reply_to });
    sent.catch((problem) => {
      live.drop(own.message);
      field.value ||= text;
      fail(problem);
    });
    if (!edit) drafts.delete(id);
    field.value = drafts.get(id) ?? '';
    begin();
  }
}
