/**
 * The wall between an experience and the shell: one MessagePort, bounded, every message checked.
 * The frame's token is attached here and never crosses; what an experience may do is decided by the twin.
 */
import { call, Problem } from './api.js';
import { events } from './events.js';
import { enqueue, flush, hasWaiting, isWrite, outbox, plain, waits } from './outbox.js';
import * as shelf from './shelf.js';
import { upload } from './upload.js';
import { weigh } from './weigh.js';

const MESSAGE_MAX = 64 * 1024;
const OUTSTANDING_MAX = 32;
const MESSAGES_PER_SECOND = 400;
const ROUTE_MAX = 512;
const LINK = /^t\/(?:[0-9a-f]{32}\/[0-9]{1,19}|m\/[0-9]{1,19}\/[0-9]{1,3})$/;

export class Bridge {
  #frame;
  #about;
  #port;
  #open = new Map();
  #second = { began: 0, count: 0 };
  #over = new AbortController();
  #picking = false;
  /** Writes go one after the other: two messages must not overtake each other. */
  #lastWrite = Promise.resolve();
  /** So do files: each is sent as fast as the network is. */
  #lastUpload = Promise.resolve();

  /**
   * @param {HTMLIFrameElement} frame
   * @param {{name: string, token: string, surroundings: () => object, pick: (wish: object) => Promise<any>,
   *   download: (link: string) => void, install: (link: string) => Promise<boolean>, routed: (route: string) => void, ended: (why: string) => void}} about
   */
  constructor(frame, about) {
    this.#frame = frame;
    this.#about = about;
    const { signal } = this.#over;
    window.addEventListener('message', (event) => this.#greet(event), { signal });
    events.addEventListener('state', () => this.#network(), { signal });
    outbox.addEventListener('settled', ({ detail }) => this.#settled(detail), { signal });
  }

  /** Pushes what changed around the experience. @param {object} values */
  set(values) {
    this.#port?.postMessage({ set: values });
  }

  /** Ends everything of this frame. @param {string} [why] told to the person */
  close(why) {
    if (this.#over.signal.aborted) return;
    this.#over.abort();
    for (const stop of this.#open.values()) stop();
    this.#open.clear();
    this.#port?.close();
    if (why) this.#about.ended(why);
  }

  /** The first message of our own frame brings the port; every other one is ignored. */
  #greet({ source, origin, data, ports }) {
    if (this.#port || source !== this.#frame.contentWindow || origin !== 'null') return;
    if (data?.hometwin !== 1 || ports.length !== 1) return;
    this.#port = ports[0];
    this.#port.onmessage = (message) => this.#receive(message);
    this.#port.onmessageerror = () => this.close('malformed');
    this.set({ ...this.#about.surroundings(), online: online() });
    this.#network();
  }

  #receive({ data, ports }) {
    const why = this.#objection(data, ports);
    if (why) return this.close(why);
    if (typeof data.route === 'string') return this.#about.routed(data.route);
    const { n } = data;
    if (data.cancel) {
      this.#open.get(n)?.();
      this.#open.delete(n);
    } else if (data.call) this.#begin(n, data.call);
    else if (data.subscribe) this.#subscribe(n, data.subscribe);
    else if (data.upload) this.#upload(n, data.upload);
    else if (data.download) this.#download(n, data.download);
    else if (data.install) this.#install(n, data.install);
    else this.#pick(n, data.pick);
  }

  /** Why a message ends the conversation, if it does. */
  #objection(data, ports) {
    const now = performance.now();
    if (now - this.#second.began > 1000) this.#second = { began: now, count: 0 };
    if (++this.#second.count > MESSAGES_PER_SECOND) return 'too_many';
    if (ports.length || typeof data !== 'object' || data === null) return 'malformed';
    // A file crosses as a handle: its bytes stay where they are until they are sent.
    const file = data.upload?.blob instanceof Blob;
    const why = weigh(file ? { ...data, upload: { ...data.upload, blob: null } } : data, MESSAGE_MAX);
    if (why) return why;
    if (data.upload && !file) return 'malformed';
    if ('route' in data) return typeof data.route === 'string' && data.route.length <= ROUTE_MAX ? '' : 'malformed';
    if (!Number.isSafeInteger(data.n)) return 'malformed';
    if (data.cancel === true) return '';
    if (this.#open.has(data.n)) return 'malformed';
    if (this.#open.size >= OUTSTANDING_MAX) return 'too_many';
    const asked = [data.call, data.subscribe, data.pick, data.upload, data.download, data.install].filter((part) => typeof part === 'object' && part !== null);
    return asked.length === 1 ? '' : 'malformed';
  }

  #begin(n, question) {
    const stop = new AbortController();
    this.#open.set(n, () => stop.abort());
    if (!isWrite(question.body)) return this.#call(n, question, stop);
    this.#lastWrite = this.#lastWrite.then(() => stop.signal.aborted || this.#call(n, question, stop)).catch(() => {});
  }

  async #call(n, { capability, major, method, body = {} }, stop) {
    const options = { major, token: this.#about.token, signal: stop.signal };
    const { name } = this.#about;
    const question = JSON.stringify([capability, major, method, body]);
    try {
      if (isWrite(body) && (await hasWaiting(name))) return await this.#later(n, { capability, major, method, body });
      const ok = await call(capability, method, body, options);
      if (!isWrite(body)) shelf.keepLast(name, question, ok).catch(() => {});
      this.#answer(n, { ok });
    } catch (problem) {
      if (stop.signal.aborted) return;
      if (!(problem instanceof Problem)) return this.#answer(n, { problem: { code: 'malformed', retry: 'no' } });
      if (isWrite(body) && waits(problem)) await this.#later(n, { capability, major, method, body });
      if (problem.code === 'frame_closed') return this.close('frame_closed');
      if (!this.#open.has(n)) return;
      const kept = problem.code === 'offline' && (await shelf.last(name, question).catch(() => undefined));
      this.#answer(n, kept ? { ok: kept, cached: true } : { problem: plain(problem) });
    }
  }

  /** Keeps a write and says so; what waits is sent in order once the twin is back. */
  async #later(n, write) {
    try {
      await enqueue(this.#about.name, write);
      this.#answer(n, { ok: null, queued: true });
      if (online()) this.#flush();
    } catch {
      this.#answer(n, { problem: { code: 'offline', retry: 'later' } });
    }
  }

  #subscribe(n, { capability, major, topic, at }) {
    const spec = { capability, major, topic, at, frame: this.#about.token };
    const end = events.subscribe(spec, ({ event, at: now, resync, problem }) => {
      if (problem?.code === 'frame_closed') this.close('frame_closed');
      else if (problem) this.#answer(n, { problem });
      else if (resync) this.#answer(n, { resync: true });
      else this.#port.postMessage({ n, event, at: now });
    });
    this.#open.set(n, end);
  }

  #upload(n, { blob }) {
    const stop = new AbortController();
    const { signal } = stop;
    this.#open.set(n, () => stop.abort());
    const sent = (bytes) => this.#open.has(n) && this.#port.postMessage({ n, sent: bytes });
    const send = () => upload(blob, { token: this.#about.token, signal, sent });
    this.#lastUpload = this.#lastUpload
      .then(() => signal.aborted || send())
      .then(
        (ok) => this.#answer(n, { ok }),
        (problem) => {
          if (problem.code === 'frame_closed') this.close('frame_closed');
          else this.#answer(n, { problem: plain(problem) });
        },
      );
  }

  /** Gives the person a file, right after they did something. What it is the twin says, not the experience. */
  #download(n, { link }) {
    const may = typeof link === 'string' && LINK.test(link) && (navigator.userActivation?.isActive ?? true);
    this.#open.set(n, () => {});
    if (may) this.#about.download(link);
    this.#answer(n, { ok: may });
  }

  /** Shows the person a package that lies behind a link; whether they installed it, and never why not. */
  async #install(n, { link }) {
    this.#open.set(n, () => {});
    const may = typeof link === 'string' && LINK.test(link) && (navigator.userActivation?.isActive ?? true);
    if (this.#picking || !may) return this.#answer(n, { ok: false });
    this.#picking = true;
    const ok = await this.#about.install(link).catch(() => false);
    this.#picking = false;
    this.#answer(n, { ok });
  }

  /** One choice at a time, and only right after the person did something. */
  async #pick(n, wish) {
    this.#open.set(n, () => {});
    const acted = navigator.userActivation?.isActive ?? true;
    if (this.#picking || !acted) return this.#answer(n, { ok: null });
    this.#picking = true;
    const ok = await this.#about.pick(wish).catch(() => null);
    this.#picking = false;
    this.#answer(n, { ok: ok ?? null });
  }

  #answer(n, answer) {
    if (this.#open.delete(n) && !this.#over.signal.aborted) this.#port.postMessage({ n, ...answer });
  }

  #network() {
    this.set({ online: online() });
    if (this.#port && online()) this.#flush();
  }

  #flush() {
    flush(this.#about.name, this.#about.token).catch(() => {});
  }

  #settled({ experience, id, problem }) {
    if (experience === this.#about.name) this.#port?.postMessage({ outbox: { id, problem } });
  }
}

function online() {
  return events.state === 'open' || (events.state !== 'offline' && navigator.onLine);
}
