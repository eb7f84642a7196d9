/** An AbortSignal that aborts when `reset` is not called for `timeoutMs`; never without one. */
export class SilenceTimer {
  readonly signal: AbortSignal;
  private readonly timeoutMs: number | undefined;
  private readonly controller = new AbortController();
  private timer: NodeJS.Timeout | undefined;

  constructor(timeoutMs: number | undefined) {
    this.timeoutMs = timeoutMs;
    this.signal = this.controller.signal;
    this.reset();
  }

  reset(): void {
    if (this.timeoutMs === undefined) return;
    if (this.timer === undefined) this.timer = setTimeout(() => this.controller.abort(), this.timeoutMs);
    else this.timer.refresh();
  }

  stop(): void {
    clearTimeout(this.timer);
  }
}
