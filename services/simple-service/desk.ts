import { MeshError } from 'furrow';
import type { CommandResult, Script } from 'furrow/golem';

/** Some scripts of a handler, one after the other, and what comes of them. */
export type Steps<T> = AsyncGenerator<Script, T, readonly CommandResult[]>;

/** Something to be done by whoever works at the desk. */
export interface Job<Worker> {
  readonly steps: (worker: Worker) => Steps<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

const mostJobs = 64;

/** Where requests wait for the running instance, which takes them one by one. */
export class Desk<Worker> {
  readonly #jobs: Job<Worker>[] = [];
  #isOpen = false;
  #wake: () => void = () => undefined;

  /**
   * Hands in work; resolves to what comes of it. Errors: `unavailable` while no instance runs, or when it ends before
   * that; `resource-exhausted` when 64 wait; what the steps throw.
   */
  ask<T>(steps: (worker: Worker) => Steps<T>): Promise<T> {
    if (!this.#isOpen) return Promise.reject(away('no instance runs'));
    if (this.#jobs.length === mostJobs) {
      return Promise.reject(new MeshError('resource-exhausted', `${mostJobs} requests wait for the instance already`));
    }
    return new Promise<unknown>((resolve, reject) => {
      this.#jobs.push({ steps, resolve, reject });
      this.#wake();
    }) as Promise<T>;
  }

  /** The oldest job. */
  take(): Job<Worker> | undefined {
    return this.#jobs.shift();
  }

  open(): void {
    this.#isOpen = true;
  }

  /** Fails what waits. */
  close(): void {
    this.#isOpen = false;
    for (const { reject } of this.#jobs.splice(0)) reject(away('the instance has ended'));
  }

  /** Wakes whoever waits: something has changed. */
  wake(): void {
    this.#wake();
  }

  /** Waits for a job, for `wake`, for so many ms, or until the signal aborts. */
  async wait(ms: number, signal: AbortSignal): Promise<void> {
    if (this.#jobs.length > 0 || signal.aborted || ms <= 0) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal.addEventListener('abort', done);
      this.#wake = done;
    });
  }
}

function away(why: string): MeshError {
  return new MeshError('unavailable', `${why}; /lifecycle says what becomes of it`);
}
