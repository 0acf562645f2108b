/** The wire between an experience and the shell, as the experience sees it. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { served, settle } from './served.mjs';

const { Port } = await served('sdk/port.js');

function pair() {
  const pushed = [];
  const said = [];
  const end = { postMessage: (message) => said.push(message) };
  const port = new Port(end, (message) => pushed.push(message));
  return { port, said, pushed, answer: (data) => end.onmessage({ data }) };
}

test('each question has a number of its own and gets its own answer', async () => {
  const { port, said, answer } = pair();
  const [one, two] = [port.ask({ call: 1 }), port.ask({ call: 2 })];
  assert.deepEqual(said, [{ n: 1, call: 1 }, { n: 2, call: 2 }]);
  answer({ n: 2, ok: 'second' });
  answer({ n: 1, ok: 'first' });
  answer({ n: 1, ok: 'once more' });
  assert.deepEqual([(await one).ok, (await two).ok], ['first', 'second']);
});

test('a problem is thrown with its code and its sentence', async () => {
  const { port, answer } = pair();
  const asked = port.ask({});
  answer({ n: 1, problem: { code: 'gone', detail: 'It is gone.', what_to_do: 'Look elsewhere.' } });
  await assert.rejects(asked, (problem) => problem.code === 'gone' && problem.sentence === 'It is gone. Look elsewhere.');
});

test('what is no answer is pushed; an answer to nothing is not', () => {
  const { pushed, answer } = pair();
  answer({ set: { lang: 'de' } });
  answer({ n: 99, ok: 1 });
  assert.deepEqual(pushed, [{ set: { lang: 'de' } }]);
});

test('who gives up cancels, once, and hears no more', async () => {
  const { port, said, answer } = pair();
  const stop = new AbortController();
  const asked = port.ask({ call: 1 }, stop.signal);
  stop.abort(new Error('enough'));
  await assert.rejects(asked, /enough/);
  answer({ n: 1, ok: 1 });
  assert.deepEqual(said.slice(1), [{ n: 1, cancel: true }]);
  await assert.rejects(port.ask({}, stop.signal), /enough/);
  assert.equal(said.length, 2, 'nothing is asked after giving up');
});

test('following yields in order, ends after a resync and throws a problem', async () => {
  const { port, said, answer } = pair();
  const seen = [];
  const follow = (async () => {
    for await (const { event, resync } of port.follow({ subscribe: {} })) seen.push(resync ? 'resync' : event);
  })();
  await settle();
  for (const event of [1, 2]) answer({ n: 1, event });
  answer({ n: 1, resync: true });
  answer({ n: 1, event: 3 });
  await follow;
  assert.deepEqual([seen, said.at(-1)], [[1, 2, 'resync'], { n: 1, cancel: true }]);
  const refused = port.follow({ subscribe: {} }).next();
  await settle();
  answer({ n: 2, problem: { code: 'not_granted' } });
  await assert.rejects(refused, { code: 'not_granted' });
});

test('a reader that does not keep up asks anew instead of growing without end', async () => {
  const { port, answer } = pair();
  const events = port.follow({ subscribe: {} });
  const first = events.next();
  await settle();
  for (let event = 0; event < 5000; event += 1) answer({ n: 1, event });
  let resync = (await first).value.resync;
  let count = 1;
  for await (const next of events) {
    count += 1;
    resync ||= next.resync;
  }
  assert(resync && count <= 1001, `${count} were kept`);
});
