/**
 * Makes ids for writes. A write that is repeated with the same id happens once.
 * Never derives an id from content, time or the person.
 */

/** @returns {string} 16 random bytes as 32 hexadecimal digits */
export function id() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
