/**
 * The SDK: everything an experience needs from the twin it runs for.
 *
 *     import { connect } from './sdk/twin.js';
 *     const twin = await connect();
 *     await twin.chat.send({ id: twin.id(), conversation, text });
 *
 * Never holds a token and never reaches the network for calls: the shell does both, and the twin decides.
 */
import { id } from './ids.js';
import { Live } from './live.js';
import { direction, loadMessages } from './messages.js';
import { Port } from './port.js';
import { Problem } from './problem.js';

export { announce, fill, h, keep, roving, stick, sure } from './dom.js';
export { describe, isPicture } from './picture.js';
export { Problem };

/** @returns {Promise<import('./twin.d.ts').Twin>} ready once the shell has said language and theme */
export async function connect() {
  const { port1, port2 } = new MessageChannel();
  const twin = new Twin();
  const ready = twin.begin(port1);
  // Only our own shell may embed this page, and it is served from the same address.
  window.parent.postMessage({ hometwin: 1 }, new URL(location.href).origin, [port2]);
  await ready;
  return withCapabilities(twin);
}

class Twin extends EventTarget {
  lang = 'en';
  dir = 'ltr';
  theme = '';
  route = '';
  online = true;
  #port;

  /** A new client-made id for a write. */
  id = id;

  begin(port) {
    return new Promise((resolve) => {
      this.#port = new Port(port, (message) => {
        if (message.set) this.#set(message.set);
        if (message.outbox) this.#outbox(message.outbox);
        resolve();
      });
    });
  }

  async call(capability, major, method, body = {}, { signal, whole = false } = {}) {
    const answer = await this.#port.ask({ call: { capability, major, method, body } }, signal);
    if (whole) return answer;
    return answer.queued ? { queued: true } : answer.ok;
  }

  subscribe({ capability, major = 1, topic = {}, at }, { signal } = {}) {
    return this.#port.follow({ subscribe: { capability, major, topic, ...(at === undefined ? {} : { at }) } }, signal);
  }

  live(query, options) {
    return new Live(this, query, options);
  }

  async pick(wish, { signal } = {}) {
    return (await this.#port.ask({ pick: wish }, signal)).ok;
  }

  /** Sends a file's bytes; `files.put` and `files.replace` take the id that this resolves with. */
  async upload(blob, { signal, progress } = {}) {
    return (await this.#port.ask({ upload: { blob } }, signal, progress)).ok;
  }

  /** The address of a link of the twin's, for an element or a fetch of this page. */
  thing(link) {
    const [, frame] = location.pathname.match(/^(\/x\/[0-9a-f]+\/)/) ?? [];
    return new URL(link, new URL(frame ?? './', location.href)).href;
  }

  /** Gives the person the file behind a link. Only on a click. */
  async download(link, { signal } = {}) {
    return (await this.#port.ask({ download: { link } }, signal)).ok;
  }

  /** Offers the person the package of an experience behind a link. Only on a click; whether they installed it. */
  async install(link, { signal } = {}) {
    return (await this.#port.ask({ install: { link } }, signal)).ok;
  }

  messages(folder = 'messages') {
    return loadMessages(folder, [this.lang]);
  }

  go(route) {
    if (route === this.route) return;
    this.route = route;
    this.#port.tell({ route });
    this.dispatchEvent(new CustomEvent('route'));
  }

  /** What the shell says about the surroundings; the page's root follows by itself. */
  #set(values) {
    const root = document.documentElement;
    const changed = ['lang', 'theme', 'route', 'online'].filter(
      (name) => name in values && values[name] !== this[name],
    );
    Object.assign(this, values);
    this.dir = direction(this.lang);
    root.lang = this.lang === 'qps' ? 'en' : this.lang;
    root.dir = this.dir;
    if (this.theme) root.dataset.theme = this.theme;
    else delete root.dataset.theme;
    for (const name of changed) this.dispatchEvent(new CustomEvent(name));
  }

  #outbox({ id: sent, problem }) {
    const detail = { id: sent, problem: problem && new Problem(problem) };
    this.dispatchEvent(new CustomEvent('outbox', { detail }));
  }
}

/** `twin.chat.send(body)` for every capability, without a list of them: the newest major the SDK knows is 1. */
function withCapabilities(twin) {
  const capability = (name, major) =>
    new Proxy({}, { get: (_, method) => (body, options) => twin.call(name, major, String(method), body, options) });
  const known = new Map();
  return new Proxy(twin, {
    get(target, name) {
      if (name === 'then' || typeof name === 'symbol') return target[name];
      if (name in target) return typeof target[name] === 'function' ? target[name].bind(target) : target[name];
      if (!known.has(name)) known.set(name, capability(name, 1));
      return known.get(name);
    },
  });
}
