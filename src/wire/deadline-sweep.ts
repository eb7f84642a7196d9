// What setTimeout can hold.
const longestTimerMs = 2 ** 31 - 1;

/**
 * One timer for the deadlines of many requests. Nearly all are answered long before, so nothing is done for a single
 * one: when the earliest deadline passes, the owner looks through what still waits.
 */
export class DeadlineSweep {
  private readonly expire: (nowMs: number) => number;
  private nextMs = Number.POSITIVE_INFINITY;
  private timer: NodeJS.Timeout | undefined;

  /** @param expire Ends what is due at `nowMs` (of `performance.now`) and gives back the earliest deadline left. */
  constructor(expire: (nowMs: number) => number) {
    this.expire = expire;
  }

  /** Takes note of a deadline, in `performance.now` time. */
  add(deadlineMs: number): void {
    if (deadlineMs < this.nextMs) this.arm(deadlineMs);
  }

  close(): void {
    clearTimeout(this.timer);
    this.nextMs = Number.NEGATIVE_INFINITY;
  }

  private arm(deadlineMs: number): void {
    clearTimeout(this.timer);
    this.nextMs = deadlineMs;
    const delayMs = Math.min(longestTimerMs, Math.max(1, Math.ceil(deadlineMs - performance.now())));
    this.timer = setTimeout(() => {
      this.nextMs = Number.POSITIVE_INFINITY;
      this.add(this.expire(performance.now()));
    }, delayMs);
  }
}
