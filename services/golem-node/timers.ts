/** setTimeout does not go further; what is due later is looked at again then. */
const longestMs = 2 ** 31 - 1;

/** Timers that all end with their owner, so that nothing fires after the node was closed. */
export class Timers {
  readonly #timers = new Set<NodeJS.Timeout>();
  #closed = false;

  /** Calls `action` after `delayMs`. What is given back cancels it. */
  after(delayMs: number, action: () => void): () => void {
    if (this.#closed) return () => {};
    const ends = Date.now() + delayMs;
    let timer: NodeJS.Timeout;
    const arm = () => {
      timer = setTimeout(
        () => {
          this.#timers.delete(timer);
          if (ends - Date.now() > longestMs) arm();
          else action();
        },
        Math.max(0, Math.min(ends - Date.now(), longestMs)),
      );
      this.#timers.add(timer);
    };
    arm();
    return () => {
      clearTimeout(timer);
      this.#timers.delete(timer);
    };
  }

  /** Resolves after `delayMs`; never, when the timers are closed before. */
  pause(delayMs: number): Promise<void> {
    return delayMs <= 0 ? Promise.resolve() : new Promise((resolve) => this.after(delayMs, resolve));
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }
}
