/**
 * The one-time code in an address: read once and wiped from the address bar and history before anything else
 * happens. Never stored, never sent except to the twin it is for.
 */

/** @returns {string} the code, or '' */
export function takeCode() {
  const code = location.hash.slice(1);
  // A second link opened in the same tab changes only the fragment: begin again with it.
  window.addEventListener('hashchange', () => location.hash && location.reload());
  if (code) history.replaceState(null, '', location.pathname + location.search);
  return /^[A-Za-z0-9_-]{8,128}$/.test(code) ? code : '';
}
