/**
 * Texts for people: loads `messages/<language>.json` beside a program, fills in values, chooses plurals,
 * formats dates and numbers. Never holds a text itself and never builds HTML.
 */

const RIGHT_TO_LEFT = new Set(['ar', 'fa', 'he', 'ur', 'qps']);

export class Messages {
  /**
   * @param {string} lang
   * @param {Record<string, string>} texts
   */
  constructor(lang, texts) {
    this.lang = lang;
    this.dir = direction(lang);
    /** What Intl understands: with the person's region where it fits. The test language `qps` dates like English. */
    this.locale = regional(lang === 'qps' ? 'en' : lang);
    this.#texts = texts;
    this.#plural = new Intl.PluralRules(this.locale);
    // So that a program can take out what it needs: `const { t, when } = words`.
    for (const name of ['t', 'time', 'day', 'date', 'when', 'byDay']) this[name] = this[name].bind(this);
  }

  #texts;
  #plural;

  /**
   * The text of a key. With `n` in the values it looks for `key.one`, `key.other`, ... first.
   * @param {string} key
   * @param {Record<string, string|number>} [values]
   * @returns {string}
   */
  t(key, values = {}) {
    const count = typeof values.n === 'number' ? values.n : undefined;
    const text =
      (count !== undefined && (this.#texts[`${key}.${this.#plural.select(count)}`] ?? this.#texts[`${key}.other`])) ||
      this.#texts[key];
    if (text === undefined) return key;
    return text.replace(/\{(\w+)\}/g, (_, name) => this.#value(values[name]));
  }

  /** @param {string} key */
  has(key) {
    return key in this.#texts;
  }

  /** The time of day. @param {number} ms */
  time(ms) {
    return new Intl.DateTimeFormat(this.locale, { timeStyle: 'short' }).format(ms);
  }

  /** "Today", "Yesterday", then the date. @param {number} ms */
  day(ms) {
    const ago = Math.round((midnight(Date.now()) - midnight(ms)) / 86_400_000);
    if (ago === 0 || ago === 1) {
      const word = new Intl.RelativeTimeFormat(this.locale, { numeric: 'auto' }).format(-ago, 'day');
      return word.charAt(0).toLocaleUpperCase(this.locale) + word.slice(1);
    }
    const year = new Date(ms).getFullYear() === new Date().getFullYear() ? undefined : 'numeric';
    return new Intl.DateTimeFormat(this.locale, { weekday: 'long', day: 'numeric', month: 'long', year }).format(ms);
  }

  /** A date with its year, for lists and promises. @param {number} ms */
  date(ms) {
    return new Intl.DateTimeFormat(this.locale, { dateStyle: 'long' }).format(ms);
  }

  /** Short: the time today, else the day. @param {number} ms */
  when(ms) {
    if (midnight(ms) === midnight(Date.now())) return this.time(ms);
    return new Intl.DateTimeFormat(this.locale, { day: 'numeric', month: 'short' }).format(ms);
  }

  /** Bytes as people say them. @param {number} bytes */
  size(bytes) {
    const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte'];
    const power = Math.min(Math.floor(Math.log10(bytes || 1) / 3), 3);
    const options = { style: 'unit', unit: units[power], unitDisplay: power ? 'short' : 'long', maximumFractionDigits: power > 1 ? 1 : 0 };
    return new Intl.NumberFormat(this.locale, options).format(bytes / 1000 ** power);
  }

  /**
   * Parts a list that is ordered by time into days.
   * @template T
   * @param {T[]} items
   * @param {(item: T) => number} time
   * @returns {[string, T[]][]} each day in words with what belongs to it
   */
  byDay(items, time) {
    const days = [];
    for (const item of items) {
      const day = this.day(time(item));
      if (days.at(-1)?.[0] !== day) days.push([day, []]);
      days.at(-1)[1].push(item);
    }
    return days;
  }

  #value(value) {
    if (typeof value === 'number') return new Intl.NumberFormat(this.locale).format(value);
    return value === undefined ? '' : isolate(String(value));
  }
}

/**
 * Loads the first language that exists; what it lacks comes from English.
 * @param {string} folder where `en.json` is, absolute or relative to the page
 * @param {string[]} wanted languages, the best first
 * @returns {Promise<Messages>}
 */
export async function loadMessages(folder, wanted) {
  const english = await read(folder, 'en');
  for (const lang of wanted.map((tag) => tag.split('-')[0])) {
    if (lang === 'en') break;
    if (lang === 'qps') return new Messages('qps', pseudo(english));
    const texts = await read(folder, lang).catch(() => undefined);
    if (texts) return new Messages(lang, { ...english, ...texts });
  }
  return new Messages('en', english);
}

/** @param {string} lang @returns {'ltr'|'rtl'} */
export function direction(lang) {
  return RIGHT_TO_LEFT.has(lang.split('-')[0]) ? 'rtl' : 'ltr';
}

async function read(folder, lang) {
  if (!/^[a-z]{2,3}$/.test(lang)) throw new Error(`no such language: ${lang}`);
  const answer = await fetch(`${folder}/${lang}.json`);
  if (!answer.ok) throw new Error(`no texts for ${lang}`);
  return answer.json();
}

/** A right-to-left test language: every text runs backwards, so a layout that assumes left shows. */
function pseudo(texts) {
  return Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, `\u202e${text}\u202c`]));
}

function regional(lang) {
  return navigator.languages.find((tag) => tag.split('-')[0] === lang) ?? lang;
}

/** Keeps a name from turning the direction of the sentence around it. */
function isolate(text) {
  return /[\u0590-\u08ff\u202a-\u202e]/.test(text) ? `\u2068${text}\u2069` : text;
}

function midnight(ms) {
  return new Date(ms).setHours(0, 0, 0, 0);
}
