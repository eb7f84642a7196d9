import { MeshError } from '../base/errors.js';
import { type Deferred, deferred, raceAbort } from './signals.js';

/** Messages from outside to the handlers of one instance. Bounded; a full one refuses. */
export class Mailbox {
  readonly #messages: unknown[] = [];
  readonly #depth: number;
  #news: Deferred<void> = deferred();

  constructor(depth: number) {
    this.#depth = depth;
  }

  get size(): number {
    return this.#messages.length;
  }

  /** Errors: `resource-exhausted` when `depth` messages are waiting already. */
  put(message: unknown): void {
    if (this.#messages.length >= this.#depth) {
      throw new MeshError('resource-exhausted', `${this.#depth} messages are waiting for the instance; it reads none`);
    }
    this.#messages.push(message);
    this.#news.resolve();
    this.#news = deferred();
  }

  /** The oldest message, or undefined when there is none. */
  tryTake(): unknown {
    return this.#messages.shift();
  }

  /** Waits for the oldest message until the signal aborts. */
  async take(signal: AbortSignal): Promise<unknown> {
    while (this.#messages.length === 0) await raceAbort(this.#news.promise, signal, 'Waiting for a message');
    return this.#messages.shift();
  }
}
