import { randomUUID } from 'node:crypto';
import { MeshError } from '../base/errors.js';

export type TaskStatus = 'waiting' | 'running' | 'accepted' | 'rejected';

/** Told when a worker has decided about a task. */
export interface TaskWatcher {
  readonly onAccepted: () => void;
  readonly onRejected: (reason: string, retry: boolean) => void;
}

/** One unit of a computation: `D` is what a worker needs for it, `R` what comes of it. */
export class Task<D = unknown, R = unknown> {
  readonly id = randomUUID();
  readonly data: D;
  #status: TaskStatus = 'waiting';
  #result: R | undefined;
  #watcher: TaskWatcher | undefined;
  #startMs: number | undefined;
  #endMs: number | undefined;

  constructor(data: D) {
    this.data = data;
  }

  get status(): TaskStatus {
    return this.#status;
  }

  /** What it was accepted with. */
  get result(): R | undefined {
    return this.#result;
  }

  /** Ms it has been running, or took to its end; undefined before it is begun. */
  get runningTimeMs(): number | undefined {
    return this.#startMs === undefined ? undefined : (this.#endMs ?? performance.now()) - this.#startMs;
  }

  /** The result is right: the task is done. Errors: `failed-precondition` when the task is not running. */
  acceptResult(result?: R): void {
    const watcher = this.#decide('accepted');
    this.#result = result;
    watcher.onAccepted();
  }

  /** The result is wrong: the task is given to a worker again (`retry`, default false), or given up. */
  rejectResult(reason = '', options: { readonly retry?: boolean } = {}): void {
    const { retry = false } = options;
    const watcher = this.#decide(retry ? 'waiting' : 'rejected');
    watcher.onRejected(reason, retry);
  }

  /** Called by whoever hands it to a worker. */
  begin(watcher: TaskWatcher): void {
    this.#status = 'running';
    this.#watcher = watcher;
    this.#startMs = performance.now();
    this.#endMs = undefined;
  }

  #decide(status: TaskStatus): TaskWatcher {
    const watcher = this.#watcher;
    if (this.#status !== 'running' || !watcher) {
      throw new MeshError(
        'failed-precondition',
        `Task ${this.id} is ${this.#status}; only a running one can be decided`,
      );
    }
    this.#status = status;
    this.#watcher = undefined;
    this.#endMs = performance.now();
    return watcher;
  }
}
