/**
 * One event socket with many subscriptions. Opens while somebody looks, closes after five minutes without,
 * comes back with growing pauses, also when a connection hangs, and continues each subscription where it stopped.
 * Never pings and keeps no timer while the socket is open.
 */

const HIDDEN_MS = 5 * 60_000;
const FIRST_PAUSE_MS = 500;
const LAST_PAUSE_MS = 10_000;
/** A twin that sleeps is awake long before this; what takes longer is not coming. */
const CONNECT_MS = 10_000;
/** A socket that was open for less is one more failure, or a broken way would be tried without a pause. */
const STEADY_MS = 5000;

export class Stream {
  #url;
  #tell;
  #socket;
  #sub = 0;
  /** @type {Map<number, {spec: object, at?: number, heard: (answer: any) => void}>} */
  #subscriptions = new Map();
  #watched = true;
  #failures = 0;
  /** When the socket was opened; 0 while none is. */
  #opened = 0;
  /** Ends a connection that hangs. */
  #late;
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
      this.#connect();
    } else if (this.#watched) {
      this.#watched = false;
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#rest(), HIDDEN_MS);
    }
  }

  /** The network is back: whatever was open or under way may be a leftover of before. */
  renew() {
    this.#drop();
    this.#connect();
  }

  /** A call could not reach the twin: a socket that seems open may be none. */
  doubt() {
    if (this.#opened) this.#drop();
  }

  #connect() {
    if (this.#socket || !this.#watched) return;
    clearTimeout(this.#timer);
    this.#say(this.#failures > 1 ? 'offline' : 'connecting');
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    this.#late = setTimeout(() => {
      // So long a silence is no hiccup: it is said at once.
      this.#failures += 1;
      this.#drop();
    }, CONNECT_MS);
    socket.onopen = () => {
      clearTimeout(this.#late);
      this.#opened = Date.now();
      this.#say('open');
      for (const sub of this.#subscriptions.keys()) this.#send(sub);
    };
    socket.onmessage = ({ data }) => this.#heard(JSON.parse(data));
    socket.onclose = () => this.#lost(socket);
  }

  #rest() {
    const socket = this.#release();
    socket?.close();
    this.#say('resting');
  }

  #drop() {
    const socket = this.#socket;
    if (!socket) return;
    this.#lost(socket);
    socket.close();
  }

  #lost(socket) {
    if (this.#socket !== socket) return;
    if (this.#opened && Date.now() - this.#opened > STEADY_MS) this.#failures = 0;
    this.#release();
    this.#failures += 1;
    if (!this.#watched) return this.#say('resting');
    this.#say(this.#failures > 1 ? 'offline' : 'connecting');
    const pause = Math.min(LAST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (this.#failures - 1));
    this.#timer = setTimeout(() => this.#connect(), pause * (0.5 + Math.random() / 2));
  }

  /** From here on nothing that this socket still does counts. */
  #release() {
    clearTimeout(this.#late);
    const socket = this.#socket;
    this.#socket = undefined;
    this.#opened = 0;
    return socket;
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
