/**
 * What an experience's author sees. The shapes of requests and answers are generated from the published
 * documents of the twin: see types.d.ts.
 */
import type { Methods } from './types.js';

export interface Problem extends Error {
  code: string;
  title: string;
  detail: string;
  what_to_do: string;
  retry: 'no' | 'later' | 'now';
  status: number;
  fields?: unknown;
  /** Everything the person should read, as one text. */
  readonly sentence: string;
}

export interface Options {
  signal?: AbortSignal;
}

/** Answer to a write that the shell keeps until the twin can be reached again. */
export interface Queued {
  queued: true;
}

/** `twin.<capability>.<method>(body)`; a body with an `id` is a write and may answer `Queued`. */
export type Capability<Prefix extends string> = {
  [Name in keyof Methods as Name extends `${Prefix}/${infer Method}` ? Method : never]: (
    body: Methods[Name]['request'],
    options?: Options,
  ) => Promise<Methods[Name]['response'] | (Methods[Name]['request'] extends { id: unknown } ? Queued : never)>;
};

export interface LiveQuery {
  capability: string;
  major?: number;
  /** A method that answers `{items, cursor?, at}`. */
  method: string;
  body?: object;
  /** What to subscribe to; the body unless given. */
  topic?: object;
  /** Type of the events, which is also the name of an item's id: `message`, `conversation`, ... */
  type: string;
  /** The field that orders the items, largest first. Without it the answered order is kept, what is new first. */
  order?: string;
}

export interface Live<T = any> extends AsyncIterable<Live<T>> {
  readonly items: T[];
  readonly ready: boolean;
  readonly more: boolean;
  /** `cached`: may be old. `queued`: something of mine is not sent yet. `refused`: see `problem`. */
  readonly state: 'live' | 'cached' | 'queued' | 'refused';
  readonly problem: Problem | null;
  /** Runs something now and after each change. */
  watch(show: (live: this) => void): void;
  loadMore(): Promise<void>;
  /** Shows something at once, also when offline, before the twin has confirmed it; `drop` brings back what was there. */
  put(item: T): void;
  drop(id: string): void;
  reload(): void;
  close(): void;
}

export interface Messages {
  lang: string;
  dir: 'ltr' | 'rtl';
  locale: string;
  t(key: string, values?: Record<string, string | number>): string;
  has(key: string): boolean;
  time(ms: number): string;
  day(ms: number): string;
  date(ms: number): string;
  /** Bytes as people say them. */
  size(bytes: number): string;
  when(ms: number): string;
  byDay<T>(items: T[], time: (item: T) => number): [string, T[]][];
}

export interface Delta {
  at?: number;
  event?: { type: string; [name: string]: any };
  /** The gap is too large: ask again, then subscribe again. */
  resync?: true;
}

/** Events: `lang`, `theme`, `route`, `online`, and `outbox` with `{id, problem?}` of a kept write. */
export interface Twin extends EventTarget {
  readonly lang: string;
  readonly dir: 'ltr' | 'rtl';
  readonly theme: '' | 'light' | 'dark';
  readonly route: string;
  readonly online: boolean;
  readonly chat: Capability<'chat/1'>;
  readonly files: Capability<'files/1'>;
  readonly identity: Capability<'identity/1'>;
  [capability: string]: any;
  id(): string;
  call(capability: string, major: number, method: string, body?: object, options?: Options): Promise<any>;
  subscribe(
    wish: { capability: string; major?: number; topic?: object; at?: number },
    options?: Options,
  ): AsyncIterable<Delta>;
  live<T = any>(query: LiveQuery, options?: Options): Live<T>;
  /** Lets the person choose a thing; the choice is the grant. Ask on a click, never by surprise. */
  pick(
    wish: { kind: 'conversation' | 'folder' } | { kind: 'space'; types: string[] },
    options?: Options,
  ): Promise<{ grant: string; thing?: string } | null>;
  /**
   * Sends a file's bytes and goes on by itself after an interruption. `files.put` and `files.replace` take the id
   * that this resolves with; `progress` hears how many bytes have arrived.
   */
  upload(blob: Blob, options?: Options & { progress?: (bytes: number) => void }): Promise<string>;
  /** The address of an item's, version's or message's `link` or `preview`, for an element or a fetch of this page. */
  thing(link: string): string;
  /** Gives the person the file behind a `link`. Only on a click; tells whether it could. */
  download(link: string, options?: Options): Promise<boolean>;
  /** Offers the person the package of an experience behind a `link`. Only on a click; tells whether they installed it. */
  install(link: string, options?: Options): Promise<boolean>;
  /** Texts beside the page, in the person's language. */
  messages(folder?: string): Promise<Messages>;
  /** Changes the address within the experience, as shown to the person. */
  go(route: string): void;
}

export function connect(): Promise<Twin>;
export function h(tag: string, props?: Record<string, any>, ...children: any[]): any;
export function fill<E extends Element>(element: E, ...children: any[]): E;
export function keep<T>(
  parent: Element,
  items: T[],
  key: (item: T, index: number) => string,
  make: (item: T, index: number) => Element,
): void;
export function announce(text: string): void;
export function stick<E extends HTMLElement>(scroller: E): E;
export function sure(button: HTMLButtonElement, question: string, act: () => void): void;
export function roving<E extends HTMLElement>(list: E, selector: string, start?: 0 | -1): E;
/** The name, kind and small picture of a file, as `files.put` and the files of a message take them. */
export function describe(file: File): Promise<{ name: string; media_type?: string; preview?: string }>;
export function isPicture(type?: string): boolean;
export const Problem: { new (wire: object): Problem };
