/** Chat: which conversation is open. Never keeps a message beyond the page. */
import { announce, connect, fill, h } from './sdk/twin.js';
import { conversationList } from './list.js';
import { openThread } from './thread.js';

const twin = await connect();
const words = await twin.messages();
const thread = document.getElementById('thread');
const conversations = twin.live({ capability: 'chat', method: 'conversations', type: 'conversation', order: 'active_ms' });
const choose = async () => (await twin.pick({ kind: 'conversation' })) && conversations.reload();
const show = conversationList(document.getElementById('list'), twin, words, choose);
const [drafts, heard] = [new Map(), new Map()];
let open;
twin.addEventListener('route', render);
conversations.watch(render);

function render() {
  const here = conversations.items.find(({ conversation }) => twin.route === `/${conversation}`);
  document.body.classList.toggle('reading', Boolean(here));
  show(conversations, here);
  for (const item of conversations.items) tell(item);
  if (open && open.id === here?.conversation) return open.update(here);
  open?.close();
  open = here && openThread(thread, twin, words, here, drafts);
  if (!here) fill(thread, conversations.items.length > 0 && h('p', { class: 'empty' }, words.t('choose')));
}

/** Says once what somebody else wrote since the page was opened. */
function tell({ conversation, last, unread }) {
  const fresh = heard.has(conversation) && last && heard.get(conversation) !== last.message;
  if (fresh && unread && !last.author.me) announce(words.t('news', { name: last.author.name, text: last.text || last.attachments?.[0].name || '' }));
  heard.set(conversation, last?.message);
}
