/** The event socket: how it comes back, from ends, from silence and from doubt, and where it goes on. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { served } from './served.mjs';

const { Stream } = await served('shell/stream.js');

/** Sockets that do nothing by themselves. */
class Socket {
  static OPEN = 1;
  static made = [];
  readyState = 0;
  sent = [];

  constructor() {
    Socket.made.push(this);
  }

  open() {
    this.readyState = 1;
    this.onopen();
  }

  /** As a browser does it: told later, by then for a socket that nobody wants any more. */
  close() {
    this.readyState = 3;
    this.onclose();
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  hear(data) {
    this.onmessage({ data: JSON.stringify(data) });
  }
}

function begin(t) {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_000_000 });
  globalThis.WebSocket = Socket;
  Socket.made = [];
  const states = [];
  const stream = new Stream('ws://twin/events', (state) => states.push(state));
  stream.watch(true);
  // In small steps: what a timer starts has to see its own moment.
  const wait = (ms) => {
    for (let left = ms; left > 0; left -= 50) t.mock.timers.tick(Math.min(left, 50));
  };
  return { stream, states, newest: () => Socket.made.at(-1), wait };
}

test('a connection that hangs is said to be out of reach, and tried again until it works', (t) => {
  const { states, newest, wait } = begin(t);
  wait(9999);
  assert.deepEqual([states, Socket.made.length], [['connecting'], 1]);
  wait(1);
  assert.deepEqual([states.at(-1), newest().readyState], ['offline', 3]);
  wait(1000);
  assert.equal(Socket.made.length, 2);
  wait(15_000);
  assert.equal(Socket.made.length, 3, 'it hung again');
  newest().open();
  assert.equal(states.at(-1), 'open');
  wait(60_000);
  assert.deepEqual([Socket.made.length, newest().readyState], [3, 1], 'what is open has no deadline');
});

test('a hidden page does not make a hanging connection hang for ever', (t) => {
  const { stream, states, wait } = begin(t);
  stream.watch(false);
  stream.watch(true);
  wait(10_000);
  assert.equal(states.at(-1), 'offline');
});

test('a short break is not mentioned as more than connecting; pauses grow up to a limit', (t) => {
  const { states, newest, wait } = begin(t);
  newest().open();
  wait(6000);
  newest().close();
  assert.deepEqual(states, ['connecting', 'open', 'connecting']);
  wait(500);
  const tried = [];
  for (let step = 0; step < 12; step += 1) {
    tried.push(Socket.made.length);
    newest().close();
    assert.equal(states.at(-1), 'offline');
    wait(10_000);
  }
  assert.deepEqual(tried.slice(1).map((count, index) => count - tried[index]), Array(11).fill(1));
});

test('a socket that opens and ends at once is not tried without a pause', (t) => {
  const { newest, wait } = begin(t);
  for (let step = 0; step < 6; step += 1) {
    newest().open();
    newest().close();
    wait(10_000);
  }
  const before = Socket.made.length;
  newest().open();
  newest().close();
  wait(4000);
  assert.equal(Socket.made.length, before, 'the pause is long by now');
  wait(6000);
  assert.equal(Socket.made.length, before + 1);
});

test('in doubt an open socket is made anew, once; a network that is back is tried at once', (t) => {
  const { stream, states, newest, wait } = begin(t);
  stream.doubt();
  assert.equal(Socket.made.length, 1, 'there is nothing to doubt yet');
  newest().open();
  const doubted = newest();
  stream.doubt();
  stream.doubt();
  assert.deepEqual([doubted.readyState, states.at(-1)], [3, 'connecting']);
  wait(500);
  assert.equal(Socket.made.length, 2);
  stream.renew();
  assert.equal(Socket.made.length, 3, 'what was under way may be a leftover too');
  newest().open();
  assert.equal(states.at(-1), 'open');
});

test('subscriptions go on where they stopped, and only those that are still wanted', (t) => {
  const { stream, newest, wait } = begin(t);
  const heard = [];
  stream.subscribe({ capability: 'chat', major: 1, topic: {}, at: 5 }, ({ event }) => heard.push(event));
  const end = stream.subscribe({ capability: 'contacts', major: 1, topic: {}, at: 5 }, () => {});
  stream.subscribe({ capability: 'history', major: 1, topic: {}, at: 5 }, ({ resync }) => heard.push(resync));
  newest().open();
  assert.deepEqual(newest().sent.map(({ sub, at }) => [sub, at]), [[1, 5], [2, 5], [3, 5]]);
  newest().hear({ sub: 1, at: 8, event: 'one' });
  newest().hear({ sub: 3, resync: true });
  newest().hear({ sub: 3, at: 9, event: 'after its end' });
  end();
  assert.deepEqual([heard, newest().sent.at(-1)], [['one', true], { op: 'unsubscribe', sub: 2 }]);
  newest().close();
  wait(500);
  newest().open();
  assert.deepEqual(newest().sent.map(({ sub, at }) => [sub, at]), [[1, 8]]);
});

test('nobody looks: it rests after five minutes and comes back with the next look', (t) => {
  const { stream, states, newest, wait } = begin(t);
  newest().open();
  stream.watch(false);
  wait(5 * 60_000 - 1);
  assert.equal(newest().readyState, 1);
  wait(1);
  assert.deepEqual([newest().readyState, states.at(-1)], [3, 'resting']);
  wait(60_000);
  assert.equal(Socket.made.length, 1);
  stream.watch(true);
  newest().open();
  assert.deepEqual([Socket.made.length, states.at(-1)], [2, 'open']);
});
