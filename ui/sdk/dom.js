/**
 * Small help for making pages: elements, keyed lists, arrow keys in lists.
 * Never parses HTML: whatever comes in as text stays text.
 */

/**
 * Makes an element: `h('button', { class: 'quiet', onclick: save }, 'Save')`.
 * @param {string} tag
 * @param {Record<string, any>} [props] `on...` functions are listeners, `true` a bare attribute,
 *   `false`, `null` and `undefined` nothing, `value` and the like go to the property
 * @param {...(Node|string|number|null|undefined|false|any[])} children
 * @returns {any} the element
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === false || value === null || value === undefined) continue;
    if (typeof value === 'function') element.addEventListener(name.slice(2), value);
    else if (name === 'value' || name === 'checked' || name === 'indeterminate') element[name] = value;
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  fill(element, children);
  return element;
}

/** Replaces what is inside. @param {Element} element @param {...any} children */
export function fill(element, ...children) {
  const kept = children.flat(Infinity).filter((child) => child || child === 0);
  element.replaceChildren(...kept.map((child) => (child instanceof Node ? child : String(child))));
  return element;
}

/**
 * Makes the children of `parent` be the items, in order, without touching what stays the same, so that
 * focus, selection, scroll place and what is unfolded survive.
 * @template T
 * @param {Element} parent
 * @param {T[]} items
 * @param {(item: T, index: number) => string} key
 * @param {(item: T, index: number) => Element} make
 */
export function keep(parent, items, key, make) {
  const old = new Map([...parent.children].map((child) => [child.getAttribute('data-key'), child]));
  const focused = parent.contains(document.activeElement) ? document.activeElement : null;
  let place = parent.firstElementChild;
  items.forEach((item, index) => {
    const name = key(item, index);
    const seen = JSON.stringify(item);
    const before = old.get(name);
    old.delete(name);
    const child = before && made.get(before) === seen ? before : renew(before, make(item, index), name, seen);
    if (place && place === before) place = child;
    if (child === place) place = place.nextElementSibling;
    else if (child.nextElementSibling !== place || !child.parentElement) parent.insertBefore(child, place);
  });
  for (const child of old.values()) child.remove();
  if (focused?.isConnected && document.activeElement !== focused) focused.focus({ preventScroll: true });
}

const FOCUSABLE = '[tabindex], a[href], button, summary';

/** What a child was last made from. */
const made = new WeakMap();

function renew(old, child, name, seen) {
  child.setAttribute('data-key', name);
  made.set(child, seen);
  if (!old) return child;
  const place = [old, ...old.querySelectorAll(FOCUSABLE)].indexOf(document.activeElement);
  if (old.hasAttribute('tabindex')) child.setAttribute('tabindex', old.getAttribute('tabindex'));
  const [was, is] = [old.querySelector('details'), child.querySelector('details')];
  if (was && is) is.open = was.open;
  old.replaceWith(child);
  // Where the focus was: the same element, else the nearest one before it.
  if (place >= 0) [child, ...child.querySelectorAll(FOCUSABLE)].slice(0, place + 1).findLast((one) => one.matches(FOCUSABLE))?.focus();
  return child;
}

/**
 * One tab stop for a whole list; arrow keys, Home and End walk in it.
 * @param {HTMLElement} list
 * @param {string} selector which elements inside take the focus
 * @param {number} [start] where the tab stop is before anybody was in the list and nothing is current: 0 or -1
 * @returns {HTMLElement} the list
 */
export function roving(list, selector, start = 0) {
  const stops = () => [...list.querySelectorAll(selector)].filter((stop) => stop.offsetParent !== null);
  const mark = (chosen) => stops().forEach((stop) => (stop.tabIndex = stop === chosen ? 0 : -1));
  const ensure = () => {
    const all = stops();
    const inside = list.contains(document.activeElement) && all.some((stop) => stop.tabIndex === 0);
    if (!inside) mark(all.find((stop) => stop.getAttribute('aria-current')) ?? all.at(start));
  };
  list.addEventListener('focusin', (event) => {
    const stop = event.target.closest(selector);
    if (stop) mark(stop);
  });
  list.addEventListener('keydown', (event) => {
    const all = stops();
    const here = all.indexOf(document.activeElement);
    const to = { ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: all.length - 1 }[event.key];
    if (here < 0 || to === undefined || !all[to]) return;
    event.preventDefault();
    all[to].focus();
  });
  new MutationObserver(ensure).observe(list, { childList: true });
  ensure();
  return list;
}

/**
 * Runs what cannot be taken back only on a second press of the same button, which then says what happens.
 * @param {HTMLButtonElement} button
 * @param {string} question
 * @param {() => void} act
 */
export function sure(button, question, act) {
  if (button.dataset.asked) return act();
  button.dataset.asked = 'true';
  button.textContent = question;
}

/** Keeps a scrolling element at its end while it grows, unless the person has scrolled away. */
export function stick(scroller) {
  let low = true;
  scroller.addEventListener('scroll', () => {
    low = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 60;
  });
  const settle = () => low && (scroller.scrollTop = scroller.scrollHeight);
  const watch = new ResizeObserver(settle);
  for (const part of [scroller, ...scroller.children]) watch.observe(part);
  return scroller;
}

/** Says something to people who listen instead of look. @param {string} text */
export function announce(text) {
  let place = document.getElementById('announced');
  if (!place) {
    place = h('p', { id: 'announced', class: 'unseen', 'aria-live': 'polite' });
    document.body.append(place);
  }
  place.textContent = text;
}
