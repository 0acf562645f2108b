/** Ways to the twin, the shell, the device and what other experiences have: all by what a page can do, or by the port. */
import { answered, ask, call, shut, walled } from './wire.js';

const TASK = 'hometwin/task@1';

/**
 * @param {string} frame of another experience that is open just now
 * @param {URL} own
 * @param {string} [space] of the person, with a record in it
 */
export function inside(frame, own, space) {
  const twin = own.origin;
  return {
    worker: () => spoken(new Worker(new URL('./worker.js', own))),
    'blob worker': () => spoken(new Worker(URL.createObjectURL(new Blob(['postMessage(1)'])))),
    'shared worker of the shell': () => spoken(new SharedWorker(`${twin}/shell/events-worker.js`, { type: 'module' }).port),
    'service worker': () => navigator.serviceWorker.register(`${twin}/sdk/ids.js`, { type: 'module' }).then(() => 'registered'),
    cookies: () => ((document.cookie = 'mine=1') && document.cookie) || undefined,
    'local storage': () => localStorage.length + 1,
    'session storage': () => sessionStorage.length + 1,
    database: () =>
      new Promise((resolve, reject) => {
        const made = indexedDB.open('x');
        made.onsuccess = () => resolve('database');
        made.onerror = reject;
      }),
    caches: () => caches.open('x').then(() => 'cache'),
    'file system': () => navigator.storage.getDirectory().then(() => 'directory'),
    locks: () => navigator.locks.request('x', () => 'lock'),
    'origin of the twin': () => (window.origin === twin ? window.origin : undefined),
    'parent document': () => parent.document.documentElement.outerHTML,
    'parent storage': () => parent.localStorage.length + 1,
    'parent functions': () => parent.fetch('/api/identity/1/me', { method: 'POST', body: '{}' }).then(() => 'asked'),
    'a channel to other tabs': () => {
      new BroadcastChannel('hostile').postMessage('out');
    },
    'the shell page': () => text(`${twin}/`),
    'the shell files': () => text(`${twin}/shell/main.js`),
    'the shell files unread': () => unread(`${twin}/shell/main.js`),
    'a shell module': () => import(`${twin}/shell/api.js`).then(() => 'imported'),
    'the events': () => socket(`${twin.replace('http', 'ws')}/events`),
    'the api with cookies': () => text(`${twin}/api/identity/1/me`, { method: 'POST', credentials: 'include', body: '{}' }),
    'the api unread': () => unread(`${twin}/api/identity/1/me`, { method: 'POST', credentials: 'include', body: '{}' }),
    'another frame': () => text(`${twin}/x/${frame}/index.html`),
    'out of the frame': () => text(new URL('../../shell/main.js', own)),
    'encoded out of the frame': () => text(new URL('./%2e%2e/%2e%2e/shell/main.js', own)),
    'another twin': () => unread(twin.replace(/\/\/(ann|bob)\./, (_, name) => (name === 'ann' ? '//bob.' : '//ann.'))),
    'the node': () => unread(twin.replace(/\/\/(ann|bob)\./, '//node.')),
    camera: () => navigator.mediaDevices.getUserMedia({ video: true }).then(() => 'camera'),
    microphone: () => navigator.mediaDevices.getUserMedia({ audio: true }).then(() => 'microphone'),
    position: () => new Promise((resolve, reject) => navigator.geolocation.getCurrentPosition(() => resolve('position'), reject)),
    'clipboard read': () => navigator.clipboard.readText().then((text) => `clipboard: ${text}`),
    'clipboard write': () => navigator.clipboard.writeText('x').then(() => 'written'),
    notifications: async () => {
      await Notification.requestPermission();
      const made = new Notification('out');
      return new Promise((resolve, reject) => {
        made.onshow = () => resolve('shown');
        made.onerror = reject;
      });
    },
    ...asking(space),
    'leave: form to the twin': () => {
      const form = Object.assign(document.createElement('form'), { action: `${twin}/`, method: 'get' });
      document.body.append(form);
      form.submit();
    },
    'leave: into the shell': () => void (location.href = `${twin}/settings`),
  };
}

/** Through the one open door, asking for what was never chosen. */
function asking(space) {
  const grant = { id: '0'.repeat(32), experience: 'hostile', kind: 'conversation', thing: 'all', verbs: ['see'], from: 'history' };
  return {
    'asking for contacts': () => answered(call('contacts', 'list')),
    'asking for history': () => answered(call('history', 'list')),
    'asking for the card': () => answered(call('identity', 'card')),
    'asking for sessions': () => answered(call('identity', 'sessions')),
    'asking for another frame': () => answered(call('experiences', 'open', { name: 'chat' })),
    'asking for conversations': async () => {
      const answer = await ask(call('chat', 'conversations'));
      return answer !== shut && answer.ok?.items?.length ? JSON.stringify(answer.ok) : undefined;
    },
    'asking for notes to self': () => answered(call('chat', 'messages', { conversation: 'self' })),
    'asking to write': () => answered(call('chat', 'send', { id: '1'.repeat(32), conversation: 'self', text: 'x' })),
    'asking for files': () => answered(call('files', 'list')),
    'asking for the trash': () => answered(call('files', 'list', { trash: true })),
    'asking to make a folder': () => answered(call('files', 'make_folder', { id: '2'.repeat(32), name: 'x' })),
    'asking to send a file': () => answered({ upload: { blob: new Blob(['x']) } }),
    'asking for events of files': async () => {
      const answer = await ask({ subscribe: { capability: 'files', major: 1, topic: {} } });
      return answer !== shut && (!walled || !answer.problem) ? JSON.stringify(answer) : undefined;
    },
    'asking for spaces': async () => {
      await someSpace(space);
      const answer = await ask(call('spaces', 'list', { all: true }));
      return answer !== shut && answer.ok?.items?.length ? JSON.stringify(answer.ok) : undefined;
    },
    'asking to make a space': () => answered(call('spaces', 'create', { id: '3'.repeat(32), name: 'x' })),
    'asking into a space': async () => answered(call('spaces', 'accept', { id: '4'.repeat(32), space: await someSpace(space) })),
    'asking for records': async () => answered(call('records', 'query', { space: await someSpace(space), type: TASK })),
    'asking to put a record': async () => answered(call('records', 'put', { id: '6'.repeat(32), space: await someSpace(space), type: TASK, fields: { title: 'x' } })),
    'asking to describe the things of others': () =>
      answered(call('records', 'define', { id: '7'.repeat(32), definition: { type: 'todo/x@1', schema: { properties: { x: { type: 'string' } } } } })),
    'asking for events of records': async () => {
      const answer = await ask({ subscribe: { capability: 'records', major: 1, topic: { space: await someSpace(space), type: TASK } } });
      return answer !== shut && (!walled || !answer.problem) ? JSON.stringify(answer) : undefined;
    },
    'asking to be granted a space': async () => answered(call('experiences', 'grant', { ...grant, id: '8'.repeat(32), kind: 'space', thing: await someSpace(space), types: [TASK] })),
    'asking for a space without the person': async () => {
      const answer = await ask({ pick: { kind: 'space', types: [TASK] } });
      return answer !== shut && answer.ok ? JSON.stringify(answer.ok) : undefined;
    },
    'asking by a path as a method': () => answered(call('identity', '../../contacts/1/list')),
    'asking by a path as a capability': () => answered(call('../api/contacts', 'list')),
    'asking for events of others': async () => {
      const answer = await ask({ subscribe: { capability: 'contacts', major: 1, topic: {} } });
      return answer !== shut && (!walled || !answer.problem) ? JSON.stringify(answer) : undefined;
    },
    'asking for a choice without the person': async () => {
      const answer = await ask({ pick: { kind: 'conversation' } });
      return answer !== shut && answer.ok ? JSON.stringify(answer.ok) : undefined;
    },
    'a second greeting': () => {
      const { port1, port2 } = new MessageChannel();
      parent.postMessage({ hometwin: 1 }, '*', [port2]);
      return spoken(port1);
    },
    'asking to grant itself': () => answered(call('experiences', 'grant', grant)),
    'asking to sign out': () => answered(call('identity', 'sign_out')),
  };
}

/** A space of the person's: the story made it; where there is no wall, it is made here. */
async function someSpace(space) {
  if (space) return space;
  return (await ask(call('spaces', 'create', { id: '9'.repeat(32), name: 'x' }))).ok.space;
}

function spoken(port) {
  return new Promise((resolve, reject) => {
    port.onmessage = ({ data }) => resolve(`it said ${JSON.stringify(data)}`);
    port.onerror = reject;
  });
}

function socket(url) {
  return new Promise((resolve, reject) => {
    const made = new WebSocket(url);
    made.onopen = () => resolve('socket open');
    made.onerror = reject;
  });
}

async function text(url, options) {
  return (await fetch(url, options)).text();
}

/** Whether a request leaves at all, even if its answer can't be read. */
function unread(url, options) {
  return fetch(url, { mode: 'no-cors', ...options }).then(() => 'answered');
}
