/**
 * Sends a file to the twin in steps, and goes on where it was when the network or the twin was away.
 * Never has more of it in memory than one step, and never takes a step for done before the twin has it.
 */
import { events } from './events.js';
import { Problem } from './api.js';

const UPLOADS = '/api/files/1/uploads';
/** Bytes of one step: progress is seen after each, and no more than this is sent twice. */
const STEP = 4 * 1024 * 1024;
const STEP_MS = 10 * 60_000;
const PAUSES_MS = [500, 2000, 10_000, 60_000];
/** What says nothing about the file itself. */
const PASSING = ['bad_digest', 'offline', 'slow_down', 'too_slow', 'upload_busy', 'wrong_offset'];

/**
 * @param {Blob} blob
 * @param {{token?: string, signal: AbortSignal, sent: (bytes: number) => void}} how
 * @returns {Promise<string>} the id of the upload
 */
export async function upload(blob, { token, signal, sent }) {
  const whose = token ? { Experience: token } : {};
  const ask = (path, method, headers, body) => reach(path, { method, headers: { ...whose, ...headers }, body, signal });
  const begun = await ask(UPLOADS, 'POST', { 'Upload-Length': String(blob.size), 'Upload-Complete': '?0' });
  const place = begun.headers.get('Location');
  const drop = () => fetch(place, { method: 'DELETE', headers: whose, keepalive: true }).catch(() => {});
  let [offset, failures] = [0, 0];
  try {
    while (offset < blob.size) {
      signal.throwIfAborted();
      try {
        offset = await step(blob, offset, (headers, body) => ask(place, 'PATCH', headers, body));
        failures = 0;
        sent(offset);
      } catch (problem) {
        if (!PASSING.includes(problem.code)) throw problem;
        await pause(failures++, signal);
        offset = await where(() => ask(place, 'HEAD'), offset);
      }
    }
    return place.slice(UPLOADS.length + 1);
  } catch (problem) {
    drop();
    throw problem;
  }
}

/** Sends what comes next; how far it is then. */
async function step(blob, offset, send) {
  const piece = blob.slice(offset, offset + STEP);
  const bytes = await piece.arrayBuffer().catch(() => {
    // It was moved or changed on the device meanwhile.
    throw new Problem({ code: 'file_gone', retry: 'no' });
  });
  const sum = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  const last = offset + bytes.byteLength === blob.size;
  const answer = await send(
    {
      'Content-Type': 'application/partial-upload',
      'Content-Digest': `sha-256=:${btoa(String.fromCharCode(...sum))}:`,
      'Upload-Offset': String(offset),
      'Upload-Complete': last ? '?1' : '?0',
    },
    bytes,
  );
  return Number(answer.headers.get('Upload-Offset'));
}

/** Where the twin is, once it can be asked. */
async function where(look, known) {
  try {
    return Number((await look()).headers.get('Upload-Offset'));
  } catch (problem) {
    if (PASSING.includes(problem.code)) return known;
    throw problem;
  }
}

async function reach(path, { signal, ...request }) {
  const late = AbortSignal.any([signal, AbortSignal.timeout(STEP_MS)]);
  const language = document.documentElement.dataset.language || navigator.languages.join(',');
  const headers = { 'Accept-Language': language, ...request.headers };
  const answer = await fetch(path, { ...request, headers, signal: late, credentials: 'same-origin', redirect: 'error' }).catch(() => {
    if (signal.aborted) throw signal.reason;
    throw new Problem({ code: 'offline', retry: 'later' });
  });
  if (answer.ok) return answer;
  const wire = await answer.json().catch(() => ({}));
  // A look has no body that could say why.
  throw new Problem({ code: answer.status === 429 ? 'slow_down' : 'not_found', ...wire, status: answer.status });
}

/** Longer each time, but no longer than until the connection is back. */
function pause(failures, signal) {
  return new Promise((resolve, reject) => {
    const over = new AbortController();
    const end = (how) => {
      clearTimeout(timer);
      over.abort();
      how();
    };
    const timer = setTimeout(() => end(resolve), PAUSES_MS[Math.min(failures, PAUSES_MS.length - 1)]);
    events.addEventListener('state', () => events.state === 'open' && end(resolve), { signal: over.signal });
    signal.addEventListener('abort', () => end(() => reject(signal.reason)), { signal: over.signal });
  });
}
