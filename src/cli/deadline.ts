/**
 * A signal that aborts with any of `signals`, or after `timeoutMs`. Clear it when it is no longer needed.
 *
 * On Node 20 `AbortSignal.any([signal, AbortSignal.timeout(ms)])` must not be used for this: nothing holds the timeout's
 * signal, so it can be collected as garbage, and then it never aborts.
 */
export class Deadline {
  readonly signal: AbortSignal;
  private readonly controller = new AbortController();
  private readonly timer: NodeJS.Timeout;
  private readonly signals: readonly AbortSignal[];
  private readonly end = (): void => this.controller.abort();

  constructor(timeoutMs: number, ...signals: readonly AbortSignal[]) {
    this.signal = this.controller.signal;
    this.signals = signals;
    this.timer = setTimeout(this.end, timeoutMs);
    for (const signal of signals) {
      if (signal.aborted) this.end();
      signal.addEventListener('abort', this.end, { once: true });
    }
  }

  clear(): void {
    clearTimeout(this.timer);
    for (const signal of this.signals) signal.removeEventListener('abort', this.end);
  }
}
