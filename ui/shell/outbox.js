/**
 * Sends what experiences wrote while the twin was away: in order, each under its own id, so that the twin does
 * it once however often it arrives. Never drops a write without saying so.
 */
import { call, Problem } from './api.js';
import * as shelf from './shelf.js';

/** Tells `{experience, id, problem?}` of every write that left the queue. */
export const outbox = new EventTarget();

/** A body with an id is a write: it may wait and be repeated. */
export function isWrite(body) {
  return typeof body?.id === 'string';
}

/** Keeps a write for later. */
export function enqueue(experience, { capability, major, method, body }) {
  return shelf.wait({ experience, call: { capability, major, method, body } });
}

/** @returns {Promise<boolean>} whether earlier writes of this experience still wait */
export function hasWaiting(experience) {
  return shelf.waiting(experience).then(
    (writes) => writes.length > 0,
    () => false,
  );
}

/**
 * Sends everything that waits for one experience.
 * @param {string} experience
 * @param {string} token of an open frame
 */
export function flush(experience, token) {
  const send = () => sendAll(experience, token);
  // Two tabs must not send at the same time: order matters.
  return navigator.locks ? navigator.locks.request(`outbox:${experience}`, send) : send();
}

/** Opens a frame for each experience that has something waiting, only to send it. */
export async function flushAll() {
  const names = new Set((await shelf.waiting()).map((write) => write.experience));
  for (const name of names) {
    try {
      const { frame, token } = await call('experiences', 'open', { name });
      await flush(name, token);
      await call('experiences', 'close', { frame });
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      // Away or no longer installed: it keeps waiting and is tried at the next opening.
    }
  }
}

async function sendAll(experience, token) {
  for (const { key, call: write } of await shelf.waiting(experience)) {
    try {
      await call(write.capability, write.method, write.body, { major: write.major, token });
      await settle(experience, key, write.body.id);
    } catch (problem) {
      if (waits(problem)) return;
      await settle(experience, key, write.body.id, problem);
    }
  }
}

async function settle(experience, key, id, problem) {
  await shelf.done(key);
  outbox.dispatchEvent(new CustomEvent('settled', { detail: { experience, id, problem: problem && plain(problem) } }));
}

/** Whether a failed write should be tried again later. */
export function waits(problem) {
  // A closed frame or an ended session says nothing about the write itself.
  if (problem.status === 401 || problem.code === 'frame_closed') return true;
  return problem.code === 'offline' || (problem.status >= 500 && problem.retry !== 'no');
}

/** A problem as it may cross the wall. */
export function plain({ code, title, detail, what_to_do, retry, status, fields }) {
  return { code, title, detail, what_to_do, retry, status, fields };
}
