/**
 * Calls of the shell's own twin, from this page's own origin.
 * Never retries a write by itself and never shows anything: callers decide.
 */
import { Problem } from '/sdk/problem.js';

export { id } from '/sdk/ids.js';
export { Problem };

const NAME = /^[a-z][a-z0-9_]{0,39}$/;

/** Is told when the twin no longer knows this browser. */
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
  const answer = await reach(`/api/${capability}/${major}/${method}`, body, { signal, token, keepalive });
  if (answer.ok) return answer.status === 204 ? {} : answer.json();
  const wire = await answer.json().catch(() => ({}));
  if (answer.status === 401 && !token) session.dispatchEvent(new Event('ended'));
  throw new Problem({ code: 'unknown', ...wire, status: answer.status });
}

async function reach(path, body, { signal, token, keepalive }) {
  try {
    return await fetch(path, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/json',
        'Accept-Language': document.documentElement.dataset.language || navigator.languages.join(','),
        ...(token ? { Experience: token } : {}),
      },
      body: JSON.stringify(body),
      signal,
      keepalive,
      credentials: 'same-origin',
      redirect: 'error',
    });
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    throw new Problem({ code: 'offline', retry: 'later' });
  }
}
