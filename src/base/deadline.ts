import { setMaxListeners } from 'node:events';

// A timer that is told to wait longer fires at once.
const longestTimerMs = 2 ** 31 - 1;

/**
 * A signal for one piece of work: it aborts after `timeoutMs`, with a `TimeoutError`, or with any of `parents`, with that
 * one's reason. A time of Infinity is as long as a timer can wait, 24 days. Dispose of it when the work is done:
 *
 *     using deadline = new Deadline(1000, signal);
 *     await once(socket, 'connect', { signal: deadline.signal });
 *
 * On Node 20, `AbortSignal.any([signal, AbortSignal.timeout(ms)])` must not be used for this. Nothing holds the timeout's
 * signal, so it can be collected as garbage, and then it never aborts; and a parent that lives long keeps something of
 * every signal that was derived from it.
 */
export class Deadline implements Disposable {
  readonly signal: AbortSignal;
  private readonly controller = new AbortController();
  private readonly timer: NodeJS.Timeout;
  /** What to do when a parent aborts. */
  private readonly listeners = new Map<AbortSignal, () => void>();

  constructor(timeoutMs: number, ...parents: readonly (AbortSignal | undefined)[]) {
    this.signal = this.controller.signal;
    // One piece of work may consist of many.
    setMaxListeners(0, this.signal);
    const late = (): void => this.abort(new DOMException('The time is over', 'TimeoutError'));
    this.timer = setTimeout(late, Math.max(0, Math.min(longestTimerMs, timeoutMs)));
    for (const parent of parents) if (parent !== undefined) this.follow(parent);
  }

  /** Lets go of the timer and of the parents; the signal aborts no more. */
  [Symbol.dispose](): void {
    clearTimeout(this.timer);
    for (const [parent, listener] of this.listeners) parent.removeEventListener('abort', listener);
    this.listeners.clear();
  }

  private follow(parent: AbortSignal): void {
    if (this.signal.aborted) return;
    const listener = (): void => this.abort(parent.reason);
    if (parent.aborted) listener();
    else {
      this.listeners.set(parent, listener);
      parent.addEventListener('abort', listener);
    }
  }

  private abort(reason: unknown): void {
    this[Symbol.dispose]();
    this.controller.abort(reason);
  }
}
