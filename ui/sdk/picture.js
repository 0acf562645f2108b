/**
 * What a file says about itself, and a small picture of it: made here, in the browser of whoever sends it, so that
 * no twin has to open a picture. Never changes the file.
 */

/** Bytes of a small picture: what a twin takes. */
const BYTES_MAX = 6144;
/** The longer side, the largest that fits first. */
const SIDES = [240, 160, 96];
const PICTURES = ['image/avif', 'image/gif', 'image/jpeg', 'image/png', 'image/webp'];
const TYPE = /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+$/;

/** Whether a page can show it as a picture. @param {string} [type] */
export function isPicture(type) {
  return PICTURES.includes(type);
}

/**
 * The fields of `files.put`, `files.replace` and of a file to send: its name, kind and small picture.
 * @param {File} file
 */
export async function describe(file) {
  const media_type = file.type.split(';')[0].trim();
  const preview = isPicture(media_type) && (await small(file).catch(() => undefined));
  return { name: file.name.normalize('NFC'), ...(TYPE.test(media_type) ? { media_type } : {}), ...(preview ? { preview } : {}) };
}

async function small(file) {
  const bitmap = await createImageBitmap(file);
  try {
    for (const side of SIDES) {
      const scale = Math.min(1, side / Math.max(bitmap.width, bitmap.height));
      const [width, height] = [bitmap.width, bitmap.height].map((length) => Math.max(1, Math.round(length * scale)));
      const canvas = new OffscreenCanvas(width, height);
      canvas.getContext('2d').drawImage(bitmap, 0, 0, width, height);
      // Where there is no WebP a PNG comes out, which is refused below if it is too large.
      const made = await canvas.convertToBlob({ type: 'image/webp', quality: 0.6 });
      if (made.size <= BYTES_MAX) return btoa(String.fromCharCode(...new Uint8Array(await made.arrayBuffer())));
    }
  } finally {
    bitmap.close();
  }
  return undefined;
}
