import { type Fault, MeshError } from './errors.js';

const mostKept = 200;
const mostShown = 50;

/**
 * Collects what is wrong with an input of many parts, so that its user hears of everything at once. Keeps the first
 * 200 faults and counts the rest, because a broken file of megabytes must not cost more than a broken line.
 */
export class FaultList {
  readonly #kept: Fault[] = [];
  #count = 0;

  /** Faults seen, kept or not. */
  get count(): number {
    return this.#count;
  }

  /** `message` may be a function, for texts that are dear to make (suggestions among many names). */
  add(at: string, message: string | (() => string)): void {
    this.#count += 1;
    if (this.#kept.length >= mostKept) return;
    this.#kept.push({ at, message: typeof message === 'string' ? message : message() });
  }

  /** Throws one `invalid-argument` error with every fault, if there is one. `subject` is the file or the service. */
  throwIfAny(subject: string): void {
    if (this.#count === 0) return;
    const lines = this.#kept
      .slice(0, mostShown)
      .map(({ at, message }) => (at === '' || at === subject ? message : `${at}: ${message}`));
    const left = this.#count - lines.length;
    const text =
      this.#count === 1
        ? `${subject}: ${lines[0]}`
        : [`${subject}: ${this.#count} faults`, ...lines, ...(left > 0 ? [`and ${left} more`] : [])].join('\n  ');
    throw new MeshError('invalid-argument', text, { faults: this.#kept });
  }
}
