/** Where this folder writes what goes wrong without ending anything. A pino logger fits. */
export interface GolemLogger {
  warn(message: string): void;
  error(message: string): void;
}

export const silentLogger: GolemLogger = { warn: () => undefined, error: () => undefined };

/** Says the first failure of a row at once, then at most one line in `everyMs`, with how many it stands for. */
export class TroubleLog {
  readonly #logger: GolemLogger;
  readonly #what: string;
  readonly #everyMs: number;
  #failures = 0;
  #silent = 0;
  #lastMs = 0;

  constructor(logger: GolemLogger, what: string, options: { everyMs?: number } = {}) {
    this.#logger = logger;
    this.#what = what;
    this.#everyMs = options.everyMs ?? 30_000;
  }

  failed(error: unknown): void {
    const nowMs = performance.now();
    const message = error instanceof Error ? error.message : String(error);
    this.#failures += 1;
    if (this.#failures > 1 && nowMs - this.#lastMs < this.#everyMs) {
      this.#silent += 1;
      return;
    }
    const more = this.#silent > 0 ? ` (${this.#silent} more since the last line)` : '';
    this.#logger.warn(`${this.#what}: ${message}${more}`);
    this.#silent = 0;
    this.#lastMs = nowMs;
  }

  succeeded(): void {
    if (this.#failures > 0) this.#logger.warn(`${this.#what}: works again after ${this.#failures} failures`);
    this.#failures = 0;
    this.#silent = 0;
  }
}
