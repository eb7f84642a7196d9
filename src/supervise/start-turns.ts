/**
 * Lets so many processes start at once, in the order in which they asked: who is up gives its turn to the next.
 * What waits for longer than `longestMs` starts all the same.
 */
export class StartTurns {
  readonly #waiting: (() => void)[] = [];
  readonly #late: NodeJS.Timeout;
  #free: number;

  constructor(atOnce: number, longestMs: number) {
    this.#free = atOnce;
    this.#late = setTimeout(() => this.close(), longestMs);
  }

  /** Resolves when it is the caller's turn; undefined when it is now. */
  take(): Promise<void> | undefined {
    if (this.#free > 0) {
      this.#free -= 1;
      return undefined;
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** One that had its turn is up, or will never be. */
  give(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free += 1;
    else next();
  }

  /** Everybody may start. */
  close(): void {
    clearTimeout(this.#late);
    this.#free = Number.POSITIVE_INFINITY;
    for (const start of this.#waiting.splice(0)) start();
  }
}
