/**
 * Real addresses for the views of the shell, through the history API.
 * Never loads code by name: it only knows the views it was given.
 */
import { fill } from '/sdk/dom.js';

const VIEWS = { '/': 'home', '/contacts': 'contacts', '/spaces': 'spaces', '/history': 'history', '/settings': 'settings' };

export class Router {
  #root;
  #app;
  #views;
  #changed;
  #path;
  #leave = new AbortController();

  /**
   * @param {HTMLElement} root
   * @param {object} app
   * @param {Record<string, (root: HTMLElement, app: object, where: object) => void>} views
   * @param {(view: string, name?: string) => void} changed
   */
  constructor(root, app, views, changed) {
    this.#root = root;
    this.#app = app;
    this.#views = views;
    this.#changed = changed;
  }

  start() {
    window.addEventListener('popstate', () => this.#show());
    document.addEventListener('click', (event) => this.#click(event));
    this.#show(true);
  }

  /** @param {string} path */
  go(path) {
    if (path !== location.pathname + location.search + location.hash) history.pushState(null, '', path);
    this.#show();
  }

  /** @param {string} title */
  retitle(title) {
    document.title = title;
  }

  /** Links to our own views change the view, not the page. */
  #click(event) {
    const link = event.target.closest?.('a[href]');
    if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
    const to = new URL(link.href);
    if (link.target || link.hasAttribute('download') || to.origin !== location.origin || !place(to.pathname)) return;
    if (link.getAttribute('href').startsWith('#')) return;
    event.preventDefault();
    this.go(to.pathname + to.search + to.hash);
  }

  #show(first = false) {
    // Only the hash changed: that is the route within an open experience, which hears of it itself.
    if (!first && this.#path === location.pathname) return;
    this.#path = location.pathname;
    this.#leave.abort();
    this.#leave = new AbortController();
    const { view, name } = place(this.#path) ?? { view: 'home' };
    this.#changed(view, name);
    fill(this.#root);
    this.#root.className = `view ${view}`;
    this.#views[view](this.#root, this.#app, { name, signal: this.#leave.signal });
    if (!first) this.#root.focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }
}

/** @param {string} path */
function place(path) {
  if (VIEWS[path]) return { view: VIEWS[path] };
  const open = /^\/(?:open|x)\/([a-z0-9-]{1,64})\/?$/.exec(path);
  return open ? { view: 'open', name: open[1] } : undefined;
}
