/** Sending a file: in steps, over every interruption, never twice, and never without saying why it ended. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import test, { beforeEach } from 'node:test';
import { served, settle } from './served.mjs';

const stub = (name, value) => Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });
stub('window', new EventTarget());
stub('document', { documentElement: { dataset: { language: 'en' } } });
stub('navigator', { onLine: true, languages: ['en'] });

const { upload } = await served('shell/upload.js');
const { events } = await served('shell/events.js');

const STEP = 4 * 1024 * 1024;
/** A twin that keeps what arrives; what goes wrong next, by request. */
let kept, size, trouble, asked;

stub('fetch', async (path, { method, headers, body }) => {
  asked.push(method);
  assert.equal(headers.Experience, 'secret');
  const wrong = trouble.shift();
  if (wrong === 'lost') throw lost();
  if (typeof wrong === 'object') return new Response(JSON.stringify(wrong), { status: wrong.status });
  const state = () => ({ 'Upload-Offset': String(kept.length), Location: '/api/files/1/uploads/abc' });
  if (method === 'POST') size = Number(headers['Upload-Length']);
  if (method === 'PATCH') {
    if (Number(headers['Upload-Offset']) !== kept.length) return problem(409, 'wrong_offset');
    const bytes = Buffer.from(body);
    assert.equal(headers['Content-Digest'], `sha-256=:${createHash('sha256').update(bytes).digest('base64')}:`);
    assert.equal(headers['Upload-Complete'], kept.length + bytes.length === size ? '?1' : '?0');
    kept = Buffer.concat([kept, bytes]);
  }
  // It arrived, and the answer did not.
  if (wrong === 'unheard') throw lost();
  return new Response(null, { status: method === 'POST' ? 201 : 204, headers: state() });
});

const problem = (status, code) => new Response(JSON.stringify({ code, status }), { status });

/** The network fails and is back at once: nobody waits for the pauses in between. */
function lost() {
  setTimeout(() => {
    events.state = 'open';
    events.dispatchEvent(new Event('state'));
  });
  return new TypeError('lost');
}

beforeEach(() => {
  [kept, trouble, asked] = [Buffer.alloc(0), [], []];
});

function send(bytes, { signal = new AbortController().signal, sent = () => {} } = {}) {
  return upload(new Blob([bytes]), { token: 'secret', signal, sent });
}

test('a file arrives in steps, and each is told', async () => {
  const bytes = randomBytes(2 * STEP + 5);
  const told = [];
  assert.equal(await send(bytes, { sent: (offset) => told.push(offset) }), 'abc');
  assert(kept.equals(bytes));
  assert.deepEqual(told, [STEP, 2 * STEP, 2 * STEP + 5]);
  assert.deepEqual(asked, ['POST', 'PATCH', 'PATCH', 'PATCH']);
});

test('an empty file has no steps', async () => {
  assert.equal(await send(Buffer.alloc(0)), 'abc');
  assert.deepEqual(asked, ['POST']);
});

for (const wrong of ['lost', 'unheard']) {
  test(`a step whose ${wrong === 'lost' ? 'request' : 'answer'} is lost is neither missing nor doubled`, async () => {
    const bytes = randomBytes(3 * STEP);
    trouble = ['', '', wrong];
    await send(bytes);
    assert(kept.equals(bytes));
    assert.deepEqual(asked, ['POST', 'PATCH', 'PATCH', 'HEAD', 'PATCH', ...(wrong === 'lost' ? ['PATCH'] : [])]);
  });
}

test('what can not pass ends it, and the twin may forget what came', async () => {
  trouble = ['', '', { code: 'full_twin', status: 507, detail: 'full' }];
  await assert.rejects(send(randomBytes(3 * STEP)), { code: 'full_twin' });
  assert.deepEqual(asked, ['POST', 'PATCH', 'PATCH', 'DELETE']);
});

test('who gives up is not asked again', async () => {
  const stop = new AbortController();
  const sending = send(randomBytes(2 * STEP), { signal: stop.signal, sent: () => stop.abort() });
  await assert.rejects(sending, { name: 'AbortError' });
  await settle();
  assert.equal(asked.at(-1), 'DELETE');
});

test('a file that is gone from the device is no fault of the network', async () => {
  const blob = new Blob([randomBytes(10)]);
  blob.slice = () => ({ arrayBuffer: () => Promise.reject(new Error('NotReadableError')) });
  const how = { token: 'secret', signal: new AbortController().signal, sent: () => {} };
  await assert.rejects(upload(blob, how), { code: 'file_gone' });
});
