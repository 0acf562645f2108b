/** The wall's own side of the port: who is let in, what ends it, and that writes neither overtake each other nor get lost. */
import assert from 'node:assert/strict';
import test, { beforeEach } from 'node:test';
import { served, settle } from './served.mjs';

const stub = (name, value) => Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });
stub('window', new EventTarget());
stub('document', { documentElement: { dataset: { language: 'en' } } });
stub('navigator', { onLine: true, languages: ['en'], userActivation: { isActive: false } });

const { Bridge } = await served('shell/bridge.js');
const { events } = await served('shell/events.js');
events.subscribe = () => () => {};
const shelf = await import('./shelf.mjs');

/** What the twin answers next: `[status, body]`, or nothing for no answer at all. */
let asked, answers;
stub('fetch', async (path, { headers, body }) => {
  asked.push({ path, token: headers.Experience, body: body && JSON.parse(body) });
  const answer = answers.shift() ?? [200, { fine: true }];
  if (answer === 'away') throw new TypeError('away');
  return new Response(JSON.stringify(answer[1]), { status: answer[0] });
});

beforeEach(async () => {
  [asked, answers] = [[], []];
  await shelf.forgetAll();
  network('open');
});

function network(state) {
  events.state = state;
  events.dispatchEvent(new Event('state'));
}

function begin(t) {
  const frame = { contentWindow: {} };
  const told = { ended: [], routed: [], picked: [], given: [] };
  const bridge = new Bridge(frame, {
    name: 'chat',
    token: 'secret',
    surroundings: () => ({ lang: 'en' }),
    pick: async (wish) => told.picked.push(wish) && { grant: 'g' },
    download: (link) => told.given.push(link),
    routed: (route) => told.routed.push(route),
    ended: (why) => told.ended.push(why),
  });
  t.after(() => bridge.close());
  const port = { said: [], postMessage: (message) => port.said.push(message), close: () => (port.closed = true) };
  const greet = (over) => Object.assign(new Event('message'), { source: frame.contentWindow, origin: 'null', data: { hometwin: 1 }, ports: [port], ...over });
  return { told, port, greet: (over) => window.dispatchEvent(greet(over)), say: (data, ports = []) => port.onmessage?.({ data, ports }) };
}

function greeted(t) {
  const wall = begin(t);
  wall.greet();
  wall.port.said.length = 0;
  return wall;
}

const send = (n, text) => ({ n, call: { capability: 'chat', major: 1, method: 'send', body: { id: text, text } } });

test('only the frame itself is greeted, and once', (t) => {
  const { greet, port } = begin(t);
  for (const other of [{ source: {} }, { origin: 'http://twin' }, { data: { hometwin: 2 } }, { data: null }, { ports: [] }, { ports: [port, port] }]) greet(other);
  assert.equal(port.onmessage, undefined);
  greet();
  assert.equal(port.said[0].set.lang, 'en');
  const second = { postMessage() {} };
  greet({ ports: [second] });
  assert.equal(second.onmessage, undefined);
});

test('a call goes out with the token, which never comes back in', async (t) => {
  const { say, port } = greeted(t);
  say({ n: 1, call: { capability: 'chat', major: 1, method: 'conversations', body: {} } });
  await settle();
  assert.deepEqual(asked, [{ path: '/api/chat/1/conversations', token: 'secret', body: {} }]);
  assert.deepEqual(port.said, [{ n: 1, ok: { fine: true } }]);
  assert(!JSON.stringify(port.said).includes('secret'));
});

test('names that are paths reach nothing', async (t) => {
  const { say, port } = greeted(t);
  for (const [n, part] of [{ capability: '../x' }, { method: 'a/b' }, { method: '' }, { major: 0 }, { major: '1' }].entries()) {
    say({ n, call: { capability: 'chat', major: 1, method: 'send', body: {}, ...part } });
  }
  await settle();
  assert.deepEqual(asked, []);
  assert.deepEqual(port.said.map(({ problem }) => problem.code), Array(5).fill('malformed'));
});

test('whatever is odd, too large or too much ends it, with its reason', (t) => {
  const call = { capability: 'chat', major: 1, method: 'x', body: {} };
  for (const [why, ...messages] of [
    ['malformed', null],
    ['malformed', 'text'],
    ['malformed', {}],
    ['malformed', { n: 1.5, call }],
    ['malformed', { n: 1, call, pick: {} }],
    ['malformed', { n: 1, call: 'x' }],
    ['malformed', { n: 1, subscribe: {} }, { n: 1, call }],
    ['malformed', { route: 'x'.repeat(513) }],
    ['malformed', { n: 1, call: { ...call, body: new Date() } }],
    ['too_large', { n: 1, call: { ...call, body: 'x'.repeat(65_536) } }],
    ['too_many', ...Array.from({ length: 33 }, (_, n) => ({ n, subscribe: {} }))],
    ['too_many', ...Array.from({ length: 401 }, (_, n) => ({ route: `/${n}` }))],
  ]) {
    const { say, told, port } = greeted(t);
    for (const message of messages) say(message);
    assert.deepEqual(told.ended, [why], JSON.stringify(messages[0])?.slice(0, 80));
    assert(port.closed);
  }
  const { say, told } = greeted(t);
  say({ n: 1, call }, [{}]);
  assert.deepEqual(told.ended, ['malformed'], 'a port within a message');
});

test('a choice needs the person', async (t) => {
  const { say, told, port } = greeted(t);
  say({ n: 1, pick: { kind: 'conversation' } });
  await settle();
  navigator.userActivation.isActive = true;
  say({ n: 2, pick: { kind: 'conversation' } });
  await settle();
  navigator.userActivation.isActive = false;
  assert.deepEqual([told.picked.length, port.said], [1, [{ n: 1, ok: null }, { n: 2, ok: { grant: 'g' } }]]);
});

test('writes arrive in the order they were made, one after the other', async (t) => {
  const { say } = greeted(t);
  for (const [n, text] of ['one', 'two', 'three'].entries()) say(send(n, text));
  await settle();
  assert.deepEqual(asked.map(({ body }) => body.text), ['one', 'two', 'three']);
});

test('what cannot be sent is kept, what comes after it waits behind it, and all of it arrives once', async (t) => {
  const { say, port } = greeted(t);
  network('offline');
  answers = ['away'];
  say(send(1, 'one'));
  say(send(2, 'two'));
  await settle(60);
  assert.deepEqual(port.said.filter(({ n }) => n), [{ n: 1, ok: null, queued: true }, { n: 2, ok: null, queued: true }]);
  assert.deepEqual((await shelf.waiting('chat')).map(({ call }) => call.body.text), ['one', 'two']);
  asked.length = 0;
  network('open');
  await settle(60);
  assert.deepEqual(asked.map(({ body, token }) => [body.id, token]), [['one', 'secret'], ['two', 'secret']]);
  assert.deepEqual(port.said.filter(({ outbox }) => outbox).map(({ outbox }) => outbox.id), ['one', 'two']);
  assert.deepEqual(await shelf.waiting('chat'), []);
});

test('a kept write that is refused is told with its problem and does not hold up the next', async (t) => {
  const { say, port } = greeted(t);
  network('offline');
  answers = ['away'];
  for (const [n, text] of ['one', 'two'].entries()) say(send(n, text));
  await settle(60);
  answers = [[409, { code: 'conflict', detail: 'No.', retry: 'no' }]];
  network('open');
  await settle(60);
  const told = port.said.filter(({ outbox }) => outbox).map(({ outbox: { id, problem } }) => [id, problem?.code]);
  assert.deepEqual(told, [['one', 'conflict'], ['two', undefined]]);
});

test('a question gets its last answer while the twin is away, marked as such', async (t) => {
  const { say, port } = greeted(t);
  const question = { capability: 'chat', major: 1, method: 'conversations', body: {} };
  answers = [[200, { items: [1] }], 'away', 'away'];
  say({ n: 1, call: question });
  await settle();
  say({ n: 2, call: question });
  say({ n: 3, call: { ...question, method: 'messages' } });
  await settle();
  assert.deepEqual(port.said[1], { n: 2, ok: { items: [1] }, cached: true });
  assert.equal(port.said[2].problem.code, 'offline');
});

test('a success that is no JSON is no success', async (t) => {
  const { say, port } = greeted(t);
  const original = globalThis.fetch;
  t.after(() => stub('fetch', original));
  stub('fetch', async () => new Response('<h1>Sign in to this network</h1>', { status: 200 }));
  say(send(1, 'one'));
  await settle(60);
  assert.deepEqual(port.said.find(({ n }) => n), { n: 1, ok: null, queued: true });
});

test('a frame that the twin closed ends, and what was written is kept', async (t) => {
  const { say, told } = greeted(t);
  answers = [[410, { code: 'frame_closed', retry: 'no' }], [410, { code: 'frame_closed', retry: 'no' }]];
  say(send(1, 'one'));
  await settle(60);
  assert.deepEqual([told.ended, (await shelf.waiting('chat')).length], [['frame_closed'], 1]);
});

test('a file crosses as a handle, and nothing else does in its place', async (t) => {
  const wall = greeted(t);
  answers = [[404, { code: 'not_found', detail: 'nothing was chosen' }]];
  wall.say({ n: 1, upload: { blob: new Blob(['x']) } });
  await settle();
  assert.deepEqual(wall.port.said.map(({ n, problem }) => [n, problem?.code]), [[1, 'not_found']]);
  assert.deepEqual(asked.map(({ path, token }) => [path, token]), [['/api/files/1/uploads', 'secret']]);
  for (const blob of ['x', {}, null, new Uint8Array(3)]) {
    const other = greeted(t);
    other.say({ n: 1, upload: { blob } });
    assert.deepEqual(other.told.ended, ['malformed']);
  }
  const hidden = greeted(t);
  hidden.say({ n: 1, upload: { blob: new Blob(['x']), more: new Blob(['y']) } });
  assert.deepEqual(hidden.told.ended, ['malformed']);
});

test('a file is given to the person on a click only, and only by a link', async (t) => {
  const wall = greeted(t);
  const link = `t/${'0a'.repeat(16)}/12`;
  wall.say({ n: 1, download: { link } });
  navigator.userActivation.isActive = true;
  t.after(() => (navigator.userActivation.isActive = false));
  for (const [at, bad] of ['https://evil.example/', '../../settings', `${link}/..`, `/${link}`, '', 7].entries()) {
    wall.say({ n: 10 + at, download: { link: bad } });
  }
  assert.deepEqual(wall.told.given, []);
  wall.say({ n: 2, download: { link } });
  assert.deepEqual(wall.told.given, [link]);
});
