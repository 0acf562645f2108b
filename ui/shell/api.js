/**
 * Calls of the shell's own twin, from this page's own origin.
 * Never retries a write by itself and never shows anything: callers decide.
 */
import { Problem } from '/sdk/problem.js';

export { id } from '/sdk/ids.js';
export { Problem };

const NAME = /^[a-z][a-z0-9_]{0,39}$/;

/** How long an answer may take. A write that gets none is kept and sent again under the same id. */
const ANSWER_MS = 20_000;

/**
 * Tells `ended` when the twin no longer knows this browser, `unreached` when it did not answer, `unwell` when it
 * refuses because of something that its person has to see to.
 */
export const session = new EventTarget();

/**
 * @param {string} capability
 * @param {string} method
 * @param {object} [body]
 * @param {{signal?: AbortSignal, major?: number, token?: string, keepalive?: boolean}} [options] `token` makes it the
 *   call of an experience; with `keepalive` it is sent even while the page ends
 * @returns {Promise<any>}
 */
export async function call(capability, method, body = {}, { signal, major = 1, token, keepalive = false } = {}) {
  if (!NAME.test(capability) || !NAME.test(method) || !Number.isSafeInteger(major) || major < 1) {
    throw new Problem({ code: 'malformed', status: 400 });
  }
  const { status, wire } = await reach(`/api/${capability}/${major}/${method}`, body, { signal, token, keepalive });
  if (status < 300) return wire;
  if (wire.code === 'stopped' || wire.code === 'full_twin') session.dispatchEvent(new Event('unwell'));
  if (status === 401 && !token) session.dispatchEvent(new Event('ended'));
  throw new Problem({ code: 'unknown', ...wire, status });
}

/**
 * All pages of a list, and where it stood at the first.
 * @param {string} capability
 * @param {string} method
 * @param {object} [body]
 * @param {object} [options] of `call`
 * @returns {Promise<{items: any[], at: number}>}
 */
export async function pages(capability, method, body = {}, options = {}) {
  const items = [];
  let cursor, at;
  do {
    const page = await call(capability, method, { limit: 200, ...body, ...(cursor ? { cursor } : {}) }, options);
    items.push(...page.items);
    at ??= page.at;
    cursor = page.cursor;
  } while (cursor);
  return { items, at };
}

async function reach(path, body, { signal, token, keepalive }) {
  const late = AbortSignal.timeout(ANSWER_MS);
  try {
    const answer = await fetch(path, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/json',
        'Accept-Language': document.documentElement.dataset.language || navigator.languages.join(','),
        ...(token ? { Experience: token } : {}),
      },
      body: JSON.stringify(body),
      signal: signal ? AbortSignal.any([signal, late]) : late,
      keepalive,
      credentials: 'same-origin',
      redirect: 'error',
    });
    // A success that is no JSON is not our twin's: some page in between.
    const wire = answer.status === 204 ? {} : await answer.json().catch((error) => (answer.ok ? Promise.reject(error) : {}));
    return { status: answer.status, wire };
  } catch {
    if (signal?.aborted) throw signal.reason;
    session.dispatchEvent(new Event('unreached'));
    throw new Problem({ code: 'offline', retry: 'later' });
  }
}
