import { MeshError } from '../base/errors.js';
import type { Cluster } from './cluster.js';
import { eventQueue } from './event-queue.js';
import { Golem } from './golem.js';
import type { GolemOptions, RunServiceOptions } from './golem-options.js';
import type { Payload } from './payload.js';
import { Service, type ServiceHandler, type WorkContext } from './service.js';
import { SmartQueue } from './smart-queue.js';
import type { Task } from './task.js';
import { isCallersFault } from './termination.js';

export interface ExecutorOptions extends Omit<GolemOptions, 'paymentDriver' | 'paymentNetwork'> {
  /** What workers run in. */
  readonly package: Payload;
  /** Providers at work at the same time, at most. Default 5. */
  readonly maxWorkers?: number;
  /** For a whole computation. Default 5 minutes. */
  readonly timeoutMs?: number;
  /** Default `erc20`. */
  readonly driver?: string;
  /** Default `YAGNA_PAYMENT_NETWORK`, else `holesky`. */
  readonly network?: string;
  /** How often a task is given to a worker that then fails, before the computation fails. Default 5. */
  readonly maxAttempts?: number;
  /** As for a service. */
  readonly workers?: Pick<
    RunServiceOptions<never>,
    'healthCheck' | 'graceMs' | 'respawnPauseMs' | 'starvedMs' | 'otherProviderWaitMs' | 'approvalTimeoutMs' | 'awayMs'
  >;
}

/**
 * What a provider does: yields scripts as a service's handler does, takes tasks one after the other, and decides about
 * each by `acceptResult` or `rejectResult` before it takes the next.
 */
export type Worker<D, R> = (work: WorkContext, tasks: AsyncIterable<Task<D, R>>) => ServiceHandler;

/** Runs tasks on providers. `await using executor = await Executor.open({ package, budget })`. */
export class Executor {
  readonly #options: ExecutorOptions;
  readonly #golem: Golem;

  private constructor(options: ExecutorOptions, golem: Golem) {
    this.#options = options;
    this.#golem = golem;
  }

  /** Errors: those of `Golem.open`. */
  static async open(options: ExecutorOptions): Promise<Executor> {
    const { driver: paymentDriver, network: paymentNetwork } = options;
    return new Executor(options, await Golem.open({ ...options, paymentDriver, paymentNetwork }));
  }

  /**
   * Computes tasks, and gives each as it is decided for good: accepted, or rejected without retry. A task whose worker
   * fails is given to another; a failure that is the caller's own ends the computation.
   * Errors: `deadline-exceeded` after `timeoutMs`; the last failure of a task after `maxAttempts`.
   */
  async *submit<D, R>(
    worker: Worker<D, R>,
    data: Iterable<Task<D, R>> | AsyncIterable<Task<D, R>>,
  ): AsyncGenerator<Task<D, R>, void> {
    const { timeoutMs = 5 * 60_000, maxWorkers = 5, maxAttempts = 5 } = this.#options;
    const queue = new SmartQueue(data);
    const decided = eventQueue<Task<D, R>>({ depth: 100_000, what: 'decided tasks' });
    const attempts = new Map<string, number>();
    const over = new AbortController();

    class TaskWorker extends Service {
      override async *run(work: WorkContext): ServiceHandler {
        const ids = { agreementId: work.agreementId, provider: work.provider };
        cluster.emit('WorkerStarted', ids);
        const undecided = new Set<Task<D, R>>();
        const tasks = takeTasks({
          queue,
          work,
          undecided,
          emit: cluster.emit,
          onDecided: (task) => decided.push(task),
        });
        try {
          yield* worker(work, tasks);
          cluster.emit('WorkerFinished', ids);
        } catch (error) {
          cluster.emit('WorkerFinished', { ...ids, error: MeshError.from(error) });
          throw error;
        } finally {
          for (const task of undecided) {
            attempts.set(task.id, (attempts.get(task.id) ?? 0) + 1);
            task.rejectResult('its worker ended', { retry: true });
          }
        }
      }
    }

    const cluster = await this.#golem.runService(TaskWorker, {
      ...this.#options.workers,
      payload: this.#options.package,
      numInstances: 0,
      expiration: new Date(Date.now() + timeoutMs),
    });
    const timer = setTimeout(() => {
      decided.fail(new MeshError('deadline-exceeded', `The computation was not done within ${timeoutMs} ms`));
    }, timeoutMs);
    const supplying = supply({ cluster, queue, maxWorkers, attempts, maxAttempts, signal: over.signal })
      .then(() => decided.end())
      .catch((error) => decided.fail(error));
    let failure: MeshError | undefined = new MeshError('cancelled', 'Whoever took the results did not wait for all');
    try {
      yield* decided.iterate();
      failure = undefined;
    } catch (error) {
      failure = MeshError.from(error);
      throw failure;
    } finally {
      clearTimeout(timer);
      over.abort();
      await supplying;
      if (failure?.code === 'cancelled') cluster.emit('ExecutionInterrupted', { error: failure });
      cluster.emit('ComputationFinished', { error: failure });
      await cluster.terminate();
    }
  }

  /** Pays the last invoices and releases the money. */
  async close(): Promise<void> {
    await this.#golem.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

interface Taking<D, R> {
  readonly queue: SmartQueue<Task<D, R>>;
  readonly work: WorkContext;
  /** The tasks that this worker has and has not decided about. */
  readonly undecided: Set<Task<D, R>>;
  readonly emit: Cluster['emit'];
  readonly onDecided: (task: Task<D, R>) => void;
}

async function* takeTasks<D, R>({ queue, work, undecided, emit, onDecided }: Taking<D, R>) {
  const ids = { agreementId: work.agreementId, provider: work.provider };
  for (;;) {
    const task = await queue.get(work.signal);
    if (!task) return;
    const taskId = task.id;
    const finish = () => {
      undecided.delete(task);
      emit('TaskFinished', { ...ids, taskId, runningTimeMs: task.runningTimeMs ?? 0 });
    };
    task.begin({
      onAccepted: () => {
        finish();
        emit('TaskAccepted', { taskId, result: task.result });
        onDecided(task);
        queue.markDone();
      },
      onRejected: (reason, retry) => {
        finish();
        emit('TaskRejected', { taskId, reason, retry });
        if (!retry) onDecided(task);
        if (retry) queue.reschedule(task);
        else queue.markDone();
      },
    });
    undecided.add(task);
    emit('TaskStarted', { ...ids, taskId });
    yield task;
    if (undecided.has(task)) {
      throw new MeshError('failed-precondition', `A worker took its next task without having decided about ${taskId}`);
    }
  }
}

interface Supply<D, R> {
  readonly cluster: Cluster;
  readonly queue: SmartQueue<Task<D, R>>;
  readonly maxWorkers: number;
  readonly attempts: ReadonlyMap<string, number>;
  readonly maxAttempts: number;
  readonly signal: AbortSignal;
}

/** Keeps as many workers as there is work for, until every task is done. */
async function supply<D, R>(options: Supply<D, R>): Promise<void> {
  const { cluster, queue, maxWorkers, attempts, maxAttempts, signal } = options;
  const failed = new AbortController();
  const stop = AbortSignal.any([signal, failed.signal]);
  let atWork = 0;
  const hire = async (): Promise<void> => {
    while (!stop.aborted && atWork < maxWorkers && (await queue.hasUnassignedItems())) {
      atWork += 1;
      cluster.spawnInstances({ numInstances: 1 });
      void cluster.instances.at(-1)?.ended.then((reason) => {
        atWork -= 1;
        const worn = [...attempts].find(([, count]) => count >= maxAttempts);
        const isOwn = reason.error !== undefined && isCallersFault(reason);
        const isLost = reason.kind === 'not-started' || reason.kind === 'expired';
        if (isOwn || worn || (isLost && atWork === 0)) {
          const code = reason.kind === 'expired' ? 'deadline-exceeded' : 'aborted';
          failed.abort(reason.error ?? new MeshError(code, reason.message));
        } else hire().catch((error) => failed.abort(error));
      });
    }
  };
  await hire();
  try {
    await queue.allDone(stop);
  } catch (error) {
    // Ended from outside: nobody waits for the rest.
    if (!signal.aborted) throw error;
  }
}
