/** What may cross the wall: JSON data of a bounded size, and nothing that only looks like it. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { served } from './served.mjs';

const { weigh } = await served('shell/weigh.js');
const MOST = 1000;

test('plain data passes', () => {
  for (const data of [null, true, 0, -1.5, '', 'ä', [], {}, [1, [2, { three: null }]], { text: 'x', reply_to: undefined }]) {
    assert.equal(weigh(data, MOST), '', JSON.stringify(data));
  }
});

test('the limit is that of the JSON text in bytes, to the byte', () => {
  const fits = (text, most) => weigh(text, most);
  assert.equal(fits('x'.repeat(98), 100), '');
  assert.equal(fits('x'.repeat(99), 100), 'too_large');
  assert.equal(fits('ä'.repeat(49), 100), '');
  assert.equal(fits('ä'.repeat(50), 100), 'too_large');
  assert.equal(fits('"'.repeat(49), 100), '', 'each of them is escaped');
  assert.equal(fits('"'.repeat(50), 100), 'too_large');
  const exactly = { name: ['a', 1, null] };
  assert.equal(weigh(exactly, JSON.stringify(exactly).length), '');
  assert.equal(weigh(exactly, JSON.stringify(exactly).length - 1), 'too_large');
});

test('what JSON cannot say is refused', () => {
  const holes = [1];
  holes[2] = 3;
  const named = Object.assign([1], { name: 2 });
  const odd = [undefined, () => {}, 1n, Symbol('x'), NaN, Infinity, new Date(), new Map(), new Set(), /x/, new ArrayBuffer(1), new Uint8Array(1), new Blob(['x']), holes, named, Object.create({ a: 1 }), new Error('x')];
  for (const value of odd) {
    assert.equal(weigh(value, MOST), 'malformed', String(value));
    if (value !== undefined) assert.equal(weigh({ deep: [value] }, MOST), 'malformed', String(value));
  }
});

test('neither depth, loops nor the same thing a million times costs more than the limit', () => {
  const nested = (depth) => Array.from({ length: depth }).reduce((inner) => [inner], 0);
  assert.equal(weigh(nested(32), MOST), '');
  assert.equal(weigh(nested(33), MOST), 'malformed');
  const loop = {};
  loop.loop = loop;
  assert.notEqual(weigh(loop, MOST), '');
  let shared = {};
  for (let depth = 0; depth < 30; depth += 1) shared = { one: shared, two: shared };
  const many = new Array(50_000_000);
  const began = performance.now();
  assert.notEqual(weigh(shared, 64 * 1024), '');
  assert.equal(weigh(many, 64 * 1024), 'too_large');
  assert(performance.now() - began < 5000, 'it was walked through');
});

test('nothing is changed', () => {
  const data = Object.freeze({ list: Object.freeze([1, 'two']), none: undefined });
  weigh(data, MOST);
  assert.deepEqual(data, { list: [1, 'two'], none: undefined });
});
