/**
 * One event socket with many subscriptions. Opens while somebody looks, closes after five minutes without,
 * comes back with growing pauses, and continues each subscription where it stopped.
 * Never pings and keeps no timer while the socket is open.
 */

const HIDDEN_MS = 5 * 60_000;
const FIRST_PAUSE_MS = 500;
const LAST_PAUSE_MS = 10_000;

export class Stream {
  #url;
  #tell;
  #socket;
  #sub = 0;
  /** @type {Map<number, {spec: object, at?: number, heard: (answer: any) => void}>} */
  #subscriptions = new Map();
  #watched = true;
  #failures = 0;
  #timer;
  #state = '';

  /**
   * @param {string} url
   * @param {(state: 'open'|'connecting'|'offline'|'resting') => void} tell
   */
  constructor(url, tell) {
    this.#url = url;
    this.#tell = tell;
  }

  /**
   * @param {{capability: string, major: number, topic: object, at?: number, frame?: string}} spec
   * @param {(answer: {event?: any, at?: number, resync?: boolean, problem?: any}) => void} heard
   * @returns {() => void} ends the subscription
   */
  subscribe(spec, heard) {
    const sub = ++this.#sub;
    this.#subscriptions.set(sub, { spec, at: spec.at, heard });
    this.#send(sub);
    return () => {
      if (this.#subscriptions.delete(sub)) this.#post({ op: 'unsubscribe', sub });
    };
  }

  /** Somebody looks at a page, or nobody does any more. @param {boolean} watched */
  watch(watched) {
    if (watched) {
      this.#watched = true;
      clearTimeout(this.#timer);
      this.connect();
    } else if (this.#watched) {
      this.#watched = false;
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#rest(), HIDDEN_MS);
    }
  }

  /** Tries at once, for example because the network is back. */
  connect() {
    if (this.#socket || !this.#watched) return;
    clearTimeout(this.#timer);
    this.#say(this.#failures > 1 ? 'offline' : 'connecting');
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    socket.onopen = () => {
      this.#failures = 0;
      this.#say('open');
      for (const sub of this.#subscriptions.keys()) this.#send(sub);
    };
    socket.onmessage = ({ data }) => this.#heard(JSON.parse(data));
    socket.onclose = () => this.#lost(socket);
  }

  #rest() {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
    this.#say('resting');
  }

  #lost(socket) {
    if (this.#socket !== socket) return;
    this.#socket = undefined;
    this.#failures += 1;
    if (!this.#watched) return this.#say('resting');
    this.#say(this.#failures > 1 ? 'offline' : 'connecting');
    const pause = Math.min(LAST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (this.#failures - 1));
    this.#timer = setTimeout(() => this.connect(), pause * (0.5 + Math.random() / 2));
  }

  #heard({ sub, at, event, resync, problem }) {
    const subscription = this.#subscriptions.get(sub);
    if (!subscription) return;
    if (at !== undefined) subscription.at = at;
    // Both end it: the reader asks again and subscribes anew from what that answered.
    if (resync || problem) this.#subscriptions.delete(sub);
    subscription.heard({ at, event, resync, problem });
  }

  #send(sub) {
    const { spec, at } = this.#subscriptions.get(sub);
    const { capability, major, topic, frame } = spec;
    this.#post({ op: 'subscribe', sub, capability, major, topic, at, frame });
  }

  #post(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #say(state) {
    if (state === this.#state) return;
    this.#state = state;
    this.#tell(state);
  }
}
