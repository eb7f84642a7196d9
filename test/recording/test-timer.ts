import type { PlaybackTimer } from '../../src/recording/player/playback-timer.js';

/** Time that jumps to whatever is waited for, as far as the test lets it. */
export class TestTimer implements PlaybackTimer {
  #nowS = 100;
  #limitS = 100;
  readonly #waits = new Set<() => void>();

  nowS(): number {
    return this.#nowS;
  }

  /** Seconds since the beginning. */
  get passedS(): number {
    return this.#nowS - 100;
  }

  /** Lets time go on to this many seconds after the beginning. */
  letPass(untilS: number): void {
    this.#limitS = 100 + untilS;
    for (const wake of [...this.#waits]) wake();
  }

  /** Time goes on although nobody waits for it. */
  jump(seconds: number): void {
    this.#nowS += seconds;
    this.#limitS = Math.max(this.#limitS, this.#nowS);
  }

  async waitUntil(atS: number, signal: AbortSignal): Promise<void> {
    while (atS > this.#limitS && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.#waits.delete(wake);
          signal.removeEventListener('abort', wake);
          resolve();
        };
        this.#waits.add(wake);
        signal.addEventListener('abort', wake);
      });
    }
    if (!signal.aborted) this.#nowS = Math.max(this.#nowS, atS);
  }
}
