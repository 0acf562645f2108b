/** Waiting before asking again: longer each time, but no longer than until the connection is back. */

const PAUSES_MS = [500, 2000, 10_000, 60_000];

/**
 * @param {EventTarget & {online: boolean}} twin
 * @param {number} failures how often it has failed in a row
 * @param {AbortSignal} signal ends the waiting
 * @returns {Promise<void>}
 */
export function pause(twin, failures, signal) {
  return new Promise((resolve) => {
    const over = new AbortController();
    const done = () => {
      clearTimeout(timer);
      over.abort();
      resolve();
    };
    const timer = setTimeout(done, PAUSES_MS[Math.min(failures, PAUSES_MS.length - 1)]);
    twin.addEventListener('online', () => twin.online && done(), { signal: over.signal });
    signal.addEventListener('abort', done, { signal: over.signal });
  });
}
