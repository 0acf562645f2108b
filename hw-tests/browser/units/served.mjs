/** Lets node load the modules of `ui/` by the addresses a browser knows, with a shelf in memory for the shell's. */
import { register } from 'node:module';

export const UI = new URL('../../../ui/', import.meta.url);

const hooks = `
  const ui = ${JSON.stringify(UI.href)};
  const shelf = ${JSON.stringify(new URL('./shelf.mjs', import.meta.url).href)};
  export function resolve(name, context, next) {
    if (name === './shelf.js') return next(shelf, context);
    return next(/^\\/(sdk|shell)\\//.test(name) ? ui + name.slice(1) : name, context);
  }
  export async function load(url, context, next) {
    return next(url, url.startsWith(ui) ? { ...context, format: 'module' } : context);
  }`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);

/** A module of `ui/`, for example `shell/weigh.js`. */
export function served(path) {
  return import(new URL(path, UI).href);
}

/** Lets everything run that waits for nothing but its turn. */
export async function settle(turns = 20) {
  for (let turn = 0; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
