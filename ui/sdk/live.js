/**
 * A live query: what a question answers now, kept up to date by its subscription.
 * Never polls; after a gap it asks again, and it says when what it shows may be old.
 */

import { pause } from './pause.js';

export class Live {
  /** @type {any[]} what the query answers, in order */
  items = [];
  /** True once something has been answered: before that an empty list means nothing. */
  ready = false;
  /** @type {import('./problem.js').Problem|null} why the state is `refused` */
  problem = null;

  #twin;
  #query;
  #type;
  #order;
  #cursor;
  /** Things of this page that the twin has not confirmed yet. */
  #mine = new Map();
  #fresh = false;
  #version = 0;
  #watchers = new Set();
  #stop = new AbortController();
  #again = new AbortController();

  /**
   * @param {import('./twin.d.ts').Twin} twin
   * @param {import('./twin.d.ts').LiveQuery} query
   * @param {{signal?: AbortSignal}} [options]
   */
  constructor(twin, { capability, major = 1, method, body = {}, topic = body, type, order }, { signal } = {}) {
    this.#twin = twin;
    this.#query = { capability, major, method, body, topic };
    this.#type = type;
    this.#order = order;
    signal?.addEventListener('abort', () => this.close(), { once: true });
    twin.addEventListener('online', () => this.#changed(), { signal: this.#stop.signal });
    twin.addEventListener('outbox', ({ detail }) => this.#sent(detail), { signal: this.#stop.signal });
    this.#run();
  }

  /** @returns {'live'|'cached'|'queued'|'refused'} */
  get state() {
    if (this.problem) return 'refused';
    if (this.#mine.size && !this.#twin.online) return 'queued';
    return this.#fresh && this.#twin.online ? 'live' : 'cached';
  }

  /** Whether an earlier page exists. */
  get more() {
    return Boolean(this.#cursor);
  }

  /** Fetches the next page of the query. */
  async loadMore() {
    const cursor = this.#cursor;
    if (!cursor) return;
    const { capability, major, method, body } = this.#query;
    const page = await this.#twin.call(capability, major, method, { ...body, cursor }, { signal: this.#stop.signal });
    if (this.#cursor !== cursor) return;
    this.#cursor = page.cursor;
    page.items.forEach((item) => this.#place(item, true));
    this.#changed();
  }

  /** Shows something at once, before the twin has confirmed it. @param {any} item */
  put(item) {
    const key = item[this.#type];
    const before = this.#mine.get(key)?.before ?? this.items.find((other) => other[this.#type] === key);
    this.#mine.set(key, { item, before });
    this.#place(item);
    this.#changed();
  }

  /** Takes back what `put` showed. @param {string} key */
  drop(key) {
    const before = this.#mine.get(key)?.before;
    this.#mine.delete(key);
    if (before) this.#place(before);
    else this.items = this.items.filter((item) => item[this.#type] !== key);
    this.#changed();
  }

  /** Asks again from the beginning, for example after a new grant. */
  reload() {
    this.#again.abort();
  }

  close() {
    this.#stop.abort();
    this.#again.abort();
    this.#changed();
  }

  /** Yields itself now and after each change. Changes that come together are seen together. */
  async *[Symbol.asyncIterator]() {
    let seen = -1;
    while (!this.#stop.signal.aborted) {
      if (seen === this.#version) await new Promise((resolve) => this.#watchers.add(resolve));
      else {
        seen = this.#version;
        yield this;
      }
    }
  }

  /** Runs something now and after each change. @param {(live: this) => void} show */
  async watch(show) {
    for await (const live of this) show(live);
  }

  async #run() {
    let failures = 0;
    while (!this.#stop.signal.aborted) {
      this.#again = new AbortController();
      const signal = this.#again.signal;
      try {
        await this.#ask(signal);
        if (this.#fresh) failures = 0;
        await this.#follow(signal);
      } catch (problem) {
        if (signal.aborted) continue;
        this.#fresh = false;
        this.problem = problem.code === 'offline' ? null : problem;
        if (this.problem?.retry === 'no') this.items = [];
        this.#changed();
        await pause(this.#twin, failures++, signal);
      }
    }
  }

  async #ask(signal) {
    const { capability, major, method, body } = this.#query;
    const page = await this.#twin.call(capability, major, method, body, { signal, whole: true });
    this.#fresh = !page.cached;
    this.#query.at = page.ok.at;
    this.#cursor = page.ok.cursor;
    this.problem = null;
    this.ready = true;
    this.items = [...page.ok.items];
    for (const item of page.ok.items) if (this.#fresh) this.#mine.delete(item[this.#type]);
    for (const { item } of this.#mine.values()) this.#place(item);
    this.#sort();
    this.#changed();
  }

  async #follow(signal) {
    if (!this.#fresh) return pause(this.#twin, Infinity, signal);
    const { capability, major, topic, at } = this.#query;
    for await (const { event, resync } of this.#twin.subscribe({ capability, major, topic, at }, { signal })) {
      if (resync) return;
      if (event.type === this.#type) {
        this.#mine.delete(event[this.#type][this.#type]);
        this.#place(event[this.#type]);
      } else if (event.type === 'removed') this.drop(event[this.#type]);
      this.#changed();
    }
  }

  /** The shell sent, or gave up on, something that was kept while offline. */
  #sent({ id, problem }) {
    const mine = this.#mine.get(id);
    if (problem && mine) this.put({ ...mine.item, refused: problem.sentence });
  }

  #place(item, atEnd = false) {
    const index = this.items.findIndex((other) => other[this.#type] === item[this.#type]);
    if (index >= 0) this.items[index] = item;
    else if (atEnd) this.items.push(item);
    else this.items.unshift(item);
    this.#sort();
  }

  #sort() {
    const [order, type] = [this.#order, this.#type];
    if (order) this.items.sort((a, b) => b[order] - a[order] || (a[type] < b[type] ? 1 : -1));
  }

  #changed() {
    this.#version += 1;
    for (const watcher of this.#watchers) watcher();
    this.#watchers.clear();
  }
}
