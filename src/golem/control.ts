import type { TerminationReason } from './termination.js';

export type ControlSignal = 'stop' | 'suspend';

/**
 * What is asked of an instance from outside. Stop and suspend take effect between batches; an abort at once.
 * The first stop and the first abort hold.
 */
export class Control {
  readonly #abort = new AbortController();
  #watchers = new Set<() => void>();
  #stop: TerminationReason | undefined;
  #aborted: TerminationReason | undefined;
  #suspended = false;

  get stopReason(): TerminationReason | undefined {
    return this.#stop;
  }

  get abortReason(): TerminationReason | undefined {
    return this.#aborted;
  }

  /** Aborts together with the instance. */
  get abortSignal(): AbortSignal {
    return this.#abort.signal;
  }

  get isSuspended(): boolean {
    return this.#suspended;
  }

  /** What a handler that heeds these signals should end for, if for anything. */
  pending(heeds: readonly ControlSignal[]): ControlSignal | undefined {
    if (this.#stop && heeds.includes('stop')) return 'stop';
    return this.#suspended && heeds.includes('suspend') ? 'suspend' : undefined;
  }

  stop(reason: TerminationReason): void {
    if (this.#stop) return;
    this.#stop = reason;
    // What is to stop must first go on.
    this.#suspended = false;
    this.#tell();
  }

  suspend(): void {
    this.#suspended = true;
    this.#tell();
  }

  resume(): void {
    this.#suspended = false;
    this.#tell();
  }

  abort(reason: TerminationReason): void {
    if (this.#aborted) return;
    this.#aborted = reason;
    this.#abort.abort(reason.error);
    this.#tell();
  }

  /** Calls back at every change; gives the way to end that. */
  watch(callback: () => void): () => void {
    this.#watchers.add(callback);
    return () => this.#watchers.delete(callback);
  }

  /** Waits until the condition holds. */
  until(condition: () => boolean): { readonly promise: Promise<void>; cancel(): void } {
    let unwatch = () => undefined as unknown;
    const promise = new Promise<void>((resolve) => {
      const check = () => {
        if (condition()) resolve();
      };
      unwatch = this.watch(check);
      check();
    });
    return { promise, cancel: () => unwatch() };
  }

  #tell(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }
}
