/**
 * Whether a message from across the wall is plain JSON data of a bounded size. A port carries much more than
 * JSON can say: buffers, files, loops, the same thing a million times. Never keeps or changes anything.
 */

const DEPTH_MAX = 32;

/**
 * @param {any} data
 * @param {number} most bytes as JSON
 * @returns {''|'malformed'|'too_large'}
 */
export function weigh(data, most) {
  const open = [{ value: data, depth: 0 }];
  let least = 0;
  while (open.length) {
    const { value, depth } = open.pop();
    // Every part takes at least this much as JSON, however often it is the same one.
    least += typeof value === 'string' ? value.length + 2 : 1;
    if (least > most) return 'too_large';
    if (Array.isArray(value) && least + value.length > most) return 'too_large';
    if (!plain(value) || depth > DEPTH_MAX) return 'malformed';
    if (typeof value !== 'object' || value === null) continue;
    for (const [name, part] of Object.entries(value)) {
      least += name.length;
      // JSON leaves out what is undefined, as programs that write `{ reply_to }` expect.
      if (part !== undefined) open.push({ value: part, depth: depth + 1 });
    }
  }
  return new TextEncoder().encode(JSON.stringify(data)).length > most ? 'too_large' : '';
}

function plain(value) {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true;
  if (typeof value === 'number') return Number.isFinite(value);
  if (Array.isArray(value)) return Object.keys(value).length === value.length;
  return typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype;
}
