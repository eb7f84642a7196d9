import { type Deferred, deferred, raceAbort } from './signals.js';

/** Items that several consumers work on: each is handed to one at a time, and may be given back. */
export class SmartQueue<T> {
  readonly #source: AsyncIterator<T> | Iterator<T>;
  readonly #rescheduled: T[] = [];
  #ahead: T | undefined;
  #hasAhead = false;
  #isExhausted = false;
  #inProgress = 0;
  #news: Deferred<void> = deferred();
  /** One at a time: the source must not be asked twice for the same item. */
  #reading: Promise<void> = Promise.resolve();

  constructor(items: Iterable<T> | AsyncIterable<T>) {
    this.#source = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  }

  /** Whether there is an item that nobody has had yet. Asks the source for at most one item ahead. */
  async hasNewItems(): Promise<boolean> {
    await this.#look();
    return this.#hasAhead;
  }

  /** Whether `get` would give an item at once: a new one, or one given back. */
  async hasUnassignedItems(): Promise<boolean> {
    return this.#rescheduled.length > 0 || (await this.hasNewItems());
  }

  /** The next item; undefined when all are done. Waits for items in progress, which may be given back. */
  async get(signal: AbortSignal): Promise<T | undefined> {
    for (;;) {
      signal.throwIfAborted();
      const again = this.#rescheduled.shift();
      if (again !== undefined) return this.#hand(again);
      await raceAbort(this.#look(), signal, 'Waiting for a task');
      if (this.#hasAhead) {
        const item = this.#ahead as T;
        this.#hasAhead = false;
        this.#ahead = undefined;
        return this.#hand(item);
      }
      // Another consumer took the one that was seen; there may be more.
      if (this.#rescheduled.length > 0 || !this.#isExhausted) continue;
      if (this.#inProgress === 0) return undefined;
      await raceAbort(this.#news.promise, signal, 'Waiting for a task');
    }
  }

  /** An item in progress is finished. */
  markDone(): void {
    this.#inProgress -= 1;
    this.#tell();
  }

  /** An item in progress is to be handed out again. */
  reschedule(item: T): void {
    this.#inProgress -= 1;
    this.#rescheduled.push(item);
    this.#tell();
  }

  /** Resolves when every item is done. */
  async allDone(signal: AbortSignal): Promise<void> {
    for (;;) {
      if (!(await this.hasUnassignedItems()) && this.#inProgress === 0) return;
      await raceAbort(this.#news.promise, signal, 'Waiting for tasks');
    }
  }

  #hand(item: T): T {
    this.#inProgress += 1;
    return item;
  }

  #look(): Promise<void> {
    this.#reading = this.#reading.then(async () => {
      if (this.#hasAhead || this.#isExhausted) return;
      const { done, value } = await this.#source.next();
      if (done) this.#isExhausted = true;
      else {
        this.#ahead = value;
        this.#hasAhead = true;
      }
    });
    return this.#reading;
  }

  #tell(): void {
    this.#news.resolve();
    this.#news = deferred();
  }
}
