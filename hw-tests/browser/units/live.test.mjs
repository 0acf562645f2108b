/** A live query: what is shown at once, what the twin confirms, and what it says of itself meanwhile. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { served, settle } from './served.mjs';

const { Live } = await served('sdk/live.js');
const { Problem } = await served('sdk/problem.js');
const QUERY = { capability: 'chat', method: 'messages', body: { conversation: 'c' }, type: 'message', order: 'time_ms' };

/** A twin that answers from a list of pages and lets a test send events. */
class Twin extends EventTarget {
  online = true;
  asked = [];
  /** What the next calls answer; an error is thrown. */
  answers = [];
  followed = [];

  async call(...question) {
    this.asked.push(question);
    const answer = this.answers.shift() ?? new Problem({ code: 'offline', retry: 'later' });
    if (answer instanceof Error) throw answer;
    return question.at(-1)?.whole ? answer : answer.ok;
  }

  async *subscribe(wish, { signal }) {
    const queue = [];
    let wake = () => {};
    this.followed.push(wish);
    this.send = (event) => queue.push(event) && wake();
    signal.addEventListener('abort', () => wake());
    while (!signal.aborted) {
      if (queue.length) yield queue.shift();
      else await new Promise((resolve) => (wake = resolve));
    }
  }

  network(online) {
    this.online = online;
    this.dispatchEvent(new Event('online'));
  }
}

const page = (items, more = {}) => ({ ok: { items, at: 7, ...more } });
const message = (name, time, rest = {}) => ({ message: name, time_ms: time, ...rest });
const names = (live) => live.items.map((item) => item.message).join();

async function opened(t, ...answers) {
  const twin = new Twin();
  twin.answers = answers;
  const live = new Live(twin, QUERY);
  t.after(() => live.close());
  await settle();
  return { twin, live };
}

test('asks, then follows from what was answered, in order and each thing once', async (t) => {
  const { twin, live } = await opened(t, page([message('b', 2), message('a', 1)]));
  assert.deepEqual([names(live), live.state, live.ready], ['b,a', 'live', true]);
  assert.deepEqual(twin.followed, [{ capability: 'chat', major: 1, topic: { conversation: 'c' }, at: 7 }]);
  twin.send({ event: { type: 'message', message: message('c', 3) } });
  twin.send({ event: { type: 'message', message: message('a', 1, { text: 'edited' }) } });
  twin.send({ event: { type: 'other', other: {} } });
  await settle();
  assert.equal(names(live), 'c,b,a');
  assert.equal(live.items[2].text, 'edited');
  twin.send({ event: { type: 'removed', message: 'b' } });
  await settle();
  assert.equal(names(live), 'c,a');
});

test('after a gap it asks again', async (t) => {
  const { twin, live } = await opened(t, page([message('a', 1)]), page([message('b', 2)], { at: 9 }));
  twin.send({ resync: true });
  await settle();
  assert.deepEqual([names(live), twin.asked.length, twin.followed.at(-1).at], ['b', 2, 9]);
});

test('what the person did is there at once, and again if it is taken back', async (t) => {
  const { twin, live } = await opened(t, page([message('a', 1, { text: 'old' })]));
  live.put(message('mine', 5, { waiting: true }));
  live.put(message('a', 1, { text: 'new' }));
  live.put(message('a', 1, { text: 'newer' }));
  assert.equal(live.items.map((item) => item.text ?? item.message).join(), 'mine,newer');
  live.drop('a');
  live.drop('mine');
  assert.equal(live.items.map((item) => item.text).join(), 'old');
  live.put(message('mine', 5, { waiting: true }));
  twin.send({ event: { type: 'message', message: message('mine', 4) } });
  await settle();
  assert.deepEqual(live.items[0], message('mine', 4), 'the confirmed one takes its place');
});

test('offline: queued while something of mine waits, cached otherwise, live again after asking again', async (t) => {
  const { twin, live } = await opened(t, page([message('a', 1)]));
  twin.network(false);
  assert.equal(live.state, 'cached');
  live.put(message('mine', 5, { waiting: true }));
  assert.equal(live.state, 'queued');
  twin.answers = [page([message('a', 1)])];
  twin.network(true);
  live.reload();
  await settle();
  assert.equal(names(live), 'mine,a', 'what the twin does not know yet stays');
  assert.equal(live.state, 'live');
});

test('what is kept from last time is shown as such and asked anew once online', async (t) => {
  const { twin, live } = await opened(t, { ...page([message('a', 1)]), cached: true });
  assert.deepEqual([live.state, names(live), twin.followed.length], ['cached', 'a', 0]);
  twin.answers = [page([message('b', 2)])];
  twin.network(true);
  await settle();
  assert.deepEqual([live.state, names(live)], ['live', 'b']);
});

test('a refusal is said, and what may no longer be seen is gone', async (t) => {
  const { live } = await opened(t, new Problem({ code: 'not_granted', retry: 'no', detail: 'Not yours.' }));
  assert.deepEqual([live.state, live.problem.sentence, live.items], ['refused', 'Not yours.', []]);
});

test('a kept write that the twin refused says why, beside the thing', async (t) => {
  const { twin, live } = await opened(t, page([]));
  live.put(message('mine', 5));
  const detail = { id: 'mine', problem: new Problem({ detail: 'Too late.' }) };
  twin.dispatchEvent(Object.assign(new Event('outbox'), { detail }));
  assert.equal(live.items[0].refused, 'Too late.');
});

test('earlier pages go below and the end is known', async (t) => {
  const { twin, live } = await opened(t, page([message('c', 3)], { cursor: 'next' }));
  assert(live.more);
  twin.answers = [page([message('b', 2), message('c', 3)])];
  await live.loadMore();
  assert.deepEqual([names(live), live.more], ['c,b', false]);
  assert.equal(twin.asked.at(-1)[3].cursor, 'next');
});

test('iterating sees each change, and ends when it is closed', async (t) => {
  const { twin, live } = await opened(t, page([]));
  const seen = [];
  const over = live.watch(() => seen.push(names(live)));
  await settle();
  twin.send({ event: { type: 'message', message: message('a', 1) } });
  await settle();
  live.close();
  await over;
  assert.deepEqual(seen, ['', 'a']);
});
