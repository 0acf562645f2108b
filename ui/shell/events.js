/**
 * Events for this page: through the worker that all tabs share, or over a socket of its own where the
 * browser has no shared workers or this one does not come. Never decides what anybody may hear: the twin does.
 */
import { id } from '/sdk/ids.js';
import { Stream } from './stream.js';

/** The worker's file comes from the twin: while that can't be reached, so can't the worker. */
const WORKER_MS = 10_000;

/** `state` tells: open, connecting, offline, resting. */
class Events extends EventTarget {
  state = 'connecting';
  #link;
  /** Each with the way to end it, once there is a link. */
  #subscriptions = new Set();

  start() {
    if ('SharedWorker' in window) this.#through((tell) => new Shared(tell, () => this.#through((alone) => new Own(alone))));
    else this.#through((tell) => new Own(tell));
    document.addEventListener('visibilitychange', () => this.#look());
    window.addEventListener('pageshow', () => this.#look());
    window.addEventListener('focus', () => this.#look());
    window.addEventListener('online', () => this.#link.online());
    window.addEventListener('pagehide', (event) => !event.persisted && this.#link.bye());
  }

  /** A call could not reach the twin: what seems open is looked at again. */
  doubt() {
    this.#link?.doubt();
  }

  /** @returns {() => void} ends it */
  subscribe(spec, heard) {
    const subscription = { spec, heard, end: this.#link?.subscribe(spec, heard) };
    this.#subscriptions.add(subscription);
    return () => {
      this.#subscriptions.delete(subscription);
      subscription.end?.();
    };
  }

  /** Goes on over another link: nothing was heard over the one before. */
  #through(make) {
    this.#link = make((state) => this.#say(state));
    for (const subscription of this.#subscriptions) subscription.end = this.#link.subscribe(subscription.spec, subscription.heard);
    this.#look();
  }

  #look() {
    this.#link.visible(document.visibilityState === 'visible');
  }

  /**
   * The shell's own live view: runs `load` now and again whenever something of the topic changed.
   * @param {string} capability
   * @param {() => Promise<number|undefined>} load answers the state it showed
   * @param {AbortSignal} signal
   */
  async follow(capability, load, signal) {
    let end = () => {};
    signal.addEventListener('abort', () => end(), { once: true });
    const begin = async () => {
      const at = await this.reached(load, signal);
      if (signal.aborted) return;
      let asked = false;
      end = this.subscribe({ capability, major: 1, topic: {}, at }, ({ event, resync }) => {
        if (resync) return begin().catch(() => {});
        if (!event || asked) return;
        asked = true;
        setTimeout(() => {
          asked = false;
          if (!signal.aborted) load().catch(() => {});
        }, 50);
      });
    };
    await begin();
  }

  /**
   * What a page shows is asked again until the twin can be reached: nobody has to come back for it.
   * @template T
   * @param {() => Promise<T>} load
   * @param {AbortSignal} signal
   * @returns {Promise<T>}
   */
  async reached(load, signal) {
    for (;;) {
      try {
        return await load();
      } catch (problem) {
        if (problem.code !== 'offline') throw problem;
        await this.#opened(signal);
        signal.throwIfAborted();
      }
    }
  }

  #opened(signal) {
    return new Promise((resolve) => {
      const over = new AbortController();
      const look = () => {
        if (this.state !== 'open' && !signal.aborted) return;
        over.abort();
        resolve();
      };
      this.addEventListener('state', look, { signal: over.signal });
      signal.addEventListener('abort', look, { signal: over.signal });
    });
  }

  #say(state) {
    this.state = state;
    this.dispatchEvent(new Event('state'));
  }
}

class Shared {
  #port;
  #key = 0;
  #heard = new Map();

  /**
   * @param {(state: string) => void} tell
   * @param {() => void} missing the worker does not come
   */
  constructor(tell, missing) {
    const worker = new SharedWorker('/shell/events-worker.js', { type: 'module', name: 'hometwin' });
    this.#port = worker.port;
    const over = () => {
      clearTimeout(late);
      worker.onerror = null;
      this.#port.onmessage = null;
      this.bye();
      this.#port.close();
      missing();
    };
    const late = setTimeout(over, WORKER_MS);
    worker.onerror = over;
    this.#port.onmessage = ({ data }) => {
      clearTimeout(late);
      if (data.state) tell(data.state);
      else this.#heard.get(data.key)?.(data.answer);
    };
    const alive = id();
    navigator.locks?.request(alive, () => {
      this.#port.postMessage({ alive });
      return new Promise(() => {});
    });
  }

  subscribe(spec, heard) {
    const key = ++this.#key;
    this.#heard.set(key, heard);
    this.#port.postMessage({ subscribe: { key, spec } });
    return () => {
      this.#heard.delete(key);
      this.#port.postMessage({ unsubscribe: key });
    };
  }

  visible(visible) {
    this.#port.postMessage({ visible });
  }

  online() {
    this.#port.postMessage({ online: true });
  }

  doubt() {
    this.#port.postMessage({ doubt: true });
  }

  bye() {
    this.#port.postMessage({ bye: true });
  }
}

class Own {
  #stream;

  constructor(tell) {
    this.#stream = new Stream(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/events`, tell);
  }

  subscribe(spec, heard) {
    return this.#stream.subscribe(spec, heard);
  }

  visible(visible) {
    this.#stream.watch(visible);
  }

  online() {
    this.#stream.renew();
  }

  doubt() {
    this.#stream.doubt();
  }

  bye() {}
}

export const events = new Events();
