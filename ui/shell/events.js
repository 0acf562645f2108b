/**
 * Events for this page: through the worker that all tabs share, or over a socket of its own where the
 * browser has no shared workers. Never decides what anybody may hear: the twin does.
 */
import { id } from '/sdk/ids.js';
import { Stream } from './stream.js';

/** `state` tells: open, connecting, offline, resting. */
class Events extends EventTarget {
  state = 'connecting';
  #link;

  start() {
    this.#link = 'SharedWorker' in window ? new Shared((state) => this.#say(state)) : new Own((state) => this.#say(state));
    const look = () => this.#link.visible(document.visibilityState === 'visible');
    document.addEventListener('visibilitychange', look);
    window.addEventListener('pageshow', look);
    window.addEventListener('focus', look);
    window.addEventListener('online', () => this.#link.online());
    window.addEventListener('pagehide', (event) => !event.persisted && this.#link.bye());
    look();
  }

  /** A call could not reach the twin: what seems open is looked at again. */
  doubt() {
    this.#link?.doubt();
  }

  /** @returns {() => void} ends it */
  subscribe(spec, heard) {
    return this.#link.subscribe(spec, heard);
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
      let at;
      try {
        at = await load();
      } catch (problem) {
        if (problem.code !== 'offline') throw problem;
        await this.#opened(signal);
        return signal.aborted ? undefined : begin();
      }
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

  constructor(tell) {
    this.#port = new SharedWorker('/shell/events-worker.js', { type: 'module', name: 'hometwin' }).port;
    this.#port.onmessage = ({ data }) => {
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
