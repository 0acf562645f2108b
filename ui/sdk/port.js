/**
 * The wire between an experience and the shell: numbered requests over one MessagePort.
 * Never touches the network: the shell does, and it alone holds the frame's token.
 */
import { Problem } from './problem.js';

/** More than this many events waiting for a slow reader end in a resync instead of growing. */
const WAITING_EVENTS = 1000;

export class Port {
  #port;
  #number = 0;
  /** @type {Map<number, (answer: any) => void>} */
  #waiting = new Map();
  #pushed;

  /**
   * @param {MessagePort} port
   * @param {(message: any) => void} pushed called for everything that is no answer
   */
  constructor(port, pushed) {
    this.#port = port;
    this.#pushed = pushed;
    port.onmessage = ({ data }) => this.#receive(data);
  }

  /** Tells the shell something that needs no answer. @param {object} message */
  tell(message) {
    this.#port.postMessage(message);
  }

  /**
   * One question, one answer.
   * @param {object} question
   * @param {AbortSignal} [signal]
   * @param {(bytes: number) => void} [progress] how much of a file has arrived
   * @returns {Promise<any>} the whole answer: `ok`, and `cached` or `queued` where the shell said so
   */
  ask(question, signal, progress) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const cancel = () => {
        this.#drop(n);
        reject(signal?.reason);
      };
      const n = this.#open(question, (answer) => {
        if ('sent' in answer) return progress?.(answer.sent);
        this.#waiting.delete(n);
        signal?.removeEventListener('abort', cancel);
        if (answer.problem) reject(new Problem(answer.problem));
        else resolve(answer);
      });
      signal?.addEventListener('abort', cancel, { once: true });
    });
  }

  /**
   * One question, answers until it is cancelled. Ends after a resync and throws a problem.
   * @param {object} question
   * @param {AbortSignal} [signal]
   * @returns {AsyncGenerator<{event?: any, at?: number, resync?: boolean}>}
   */
  async *follow(question, signal) {
    const arrived = [];
    let wake = () => {};
    const push = (answer) => {
      if (arrived.length < WAITING_EVENTS) arrived.push(answer);
      else arrived.splice(0, Infinity, { resync: true });
      wake();
    };
    const stop = () => wake();
    const n = this.#open(question, push);
    signal?.addEventListener('abort', stop, { once: true });
    try {
      while (!signal?.aborted) {
        const answer = arrived.shift();
        if (!answer) await new Promise((resolve) => (wake = resolve));
        else if (answer.problem) throw new Problem(answer.problem);
        else {
          yield answer;
          if (answer.resync) return;
        }
      }
    } finally {
      signal?.removeEventListener('abort', stop);
      this.#drop(n);
    }
  }

  #open(question, answer) {
    const n = ++this.#number;
    this.#waiting.set(n, answer);
    this.#port.postMessage({ n, ...question });
    return n;
  }

  #drop(n) {
    if (this.#waiting.delete(n)) this.#port.postMessage({ n, cancel: true });
  }

  #receive(message) {
    const waiting = this.#waiting.get(message?.n);
    if (waiting) waiting(message);
    else if (message?.n === undefined) this.#pushed(message);
  }
}
