/**
 * The port to the shell, taken the way the SDK does, without its manners. Outside of the wall, as the
 * control of each attempt, the same questions go straight to the twin.
 */
export const shut = Symbol('shut');

export const walled = parent !== window;
const { port1, port2 } = new MessageChannel();
const answers = new Map();
let n = 0;

export const port = port1;
export const call = (capability, method, body = {}) => ({ call: { capability, major: 1, method, body } });

/** @returns {Promise<string>} the route, which says what to try */
export function greet() {
  if (!walled) return Promise.resolve(decodeURIComponent(location.hash.slice(1)));
  const greeted = new Promise((resolve) => {
    port.onmessage = ({ data }) => {
      answers.get(data.n)?.(data);
      if (data.set?.route !== undefined) resolve(data.set.route);
    };
  });
  parent.postMessage({ hometwin: 1 }, '*', [port2]);
  return greeted;
}

export function within(promise, ms = 1500) {
  return Promise.race([promise, new Promise((resolve) => setTimeout(resolve, ms, shut))]);
}

export function ask(question) {
  if (!walled) return direct(question);
  n += 1;
  const number = n;
  port.postMessage({ n: number, ...question });
  return within(new Promise((resolve) => answers.set(number, resolve)));
}

/** What an allowed question gave, as text. */
export async function answered(question) {
  const answer = await ask(question);
  return answer !== shut && answer.ok ? JSON.stringify(answer.ok) : undefined;
}

async function direct({ call: asked, subscribe, upload }) {
  if (subscribe) return subscribed(subscribe);
  if (upload) return sent(upload);
  if (!asked) return {};
  const answer = await fetch(`/api/${asked.capability}/${asked.major}/${asked.method}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(asked.body),
  });
  const body = await answer.json();
  return answer.ok ? { ok: body } : { problem: body };
}

async function sent({ blob }) {
  const headers = { 'upload-length': String(blob.size), 'upload-complete': '?0' };
  const answer = await fetch('/api/files/1/uploads', { method: 'POST', headers });
  return { ok: answer.headers.get('location') };
}

/** A subscription to nonsense is answered with a problem: that the twin hears is the control. */
function subscribed(spec) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`${location.origin.replace('http', 'ws')}/events`);
    socket.onopen = () => socket.send(JSON.stringify({ op: 'subscribe', sub: 1, ...spec, at: Number.MAX_SAFE_INTEGER - 1 }));
    socket.onmessage = ({ data }) => resolve(JSON.parse(data));
    socket.onerror = reject;
  });
}
