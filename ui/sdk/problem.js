/**
 * The one error that reaches an experience: what went wrong, in words for the person.
 * Never carries a stack, a token or anything of another experience.
 */
export class Problem extends Error {
  /** @param {Partial<import('./types.d.ts').Wire.Problem>} wire a problem document as the twin sent it */
  constructor(wire) {
    super(wire.detail || wire.title || wire.code || 'problem');
    this.name = 'Problem';
    /** Stable, for programs. */
    this.code = wire.code ?? 'unknown';
    /** One line for the person. */
    this.title = wire.title ?? '';
    this.detail = wire.detail ?? '';
    this.what_to_do = wire.what_to_do ?? '';
    /** @type {'no'|'later'|'now'} */
    this.retry = wire.retry ?? 'no';
    this.status = wire.status ?? 0;
    this.fields = wire.fields;
  }

  /** Everything the person should read, as one text. */
  get sentence() {
    return [this.detail || this.title, this.what_to_do].filter(Boolean).join(' ');
  }
}
