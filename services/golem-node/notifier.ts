/** Wakes everybody who waits for something to change: what long polls wait on. */
export class Notifier {
  readonly #waiting = new Set<() => void>();
  #closed = false;

  notify(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  /** From now on nobody waits. */
  close(): void {
    this.#closed = true;
    this.notify();
  }

  /** Ends at the next {@link notify}, after `timeoutMs`, or when `signal` fires; never throws. */
  wait(timeoutMs: number, signal?: AbortSignal): Promise<void> {
    if (this.#closed || timeoutMs <= 0 || signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', wake);
        this.#waiting.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, timeoutMs);
      signal?.addEventListener('abort', wake);
      this.#waiting.add(wake);
    });
  }

  /** Waits until `ready` gives a value, and gives back its last one: undefined when the time was up. */
  async until<T>(ready: () => T | undefined, timeoutMs: number, signal?: AbortSignal): Promise<T | undefined> {
    const ends = performance.now() + timeoutMs;
    for (;;) {
      const value = ready();
      const left = ends - performance.now();
      if (value !== undefined || left <= 0 || this.#closed || signal?.aborted) return value;
      await this.wait(left, signal);
    }
  }
}
