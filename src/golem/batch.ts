import { Deadline } from '../base/deadline.js';
import { MeshError } from '../base/errors.js';
import { pause } from '../base/pause.js';
import type { ExeResult, GolemDaemon, RuntimeEvent } from './daemon.js';
import { BatchTimeoutError } from './errors.js';
import { backoffMs } from './signals.js';

/** What a running batch says: a command's end, or on the way there its start and output. */
export type BatchEvent =
  | { readonly kind: 'result'; readonly result: ExeResult }
  | Exclude<RuntimeEvent, { readonly kind: 'finished' }>;

export interface BatchOptions {
  readonly daemon: GolemDaemon;
  readonly activityId: string;
  readonly batchId: string;
  /** Commands in the batch. */
  readonly size: number;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** How long the daemon may be away before the batch fails. Default 60,000. */
  readonly awayMs?: number;
  /** How often a daemon that fails to answer is asked again, ms. Default 250 growing to 5000. */
  readonly firstBackoffMs?: number;
}

/** A batch that runs on a provider. Iterating gives its events, up to the end of its last or first failing command. */
export abstract class Batch implements AsyncIterable<BatchEvent> {
  readonly id: string;
  protected readonly options: BatchOptions;
  readonly #endMs: number;
  #limit: AbortSignal | undefined;

  constructor(options: BatchOptions) {
    this.options = options;
    this.id = options.batchId;
    this.#endMs = performance.now() + options.timeoutMs;
  }

  /** Seconds until the deadline; negative after it. */
  secondsLeft(): number {
    return (this.#endMs - performance.now()) / 1000;
  }

  abstract [Symbol.asyncIterator](): AsyncIterator<BatchEvent>;

  /** Aborts at the deadline, or with the caller's signal. */
  protected deadline(): Deadline {
    const deadline = new Deadline(this.secondsLeft() * 1000, this.options.signal);
    this.#limit = deadline.signal;
    return deadline;
  }

  protected throwIfOver(): void {
    this.options.signal?.throwIfAborted();
    // A timer may fire a moment before the clock says so.
    if (this.#limit?.aborted || this.secondsLeft() <= 0) throw new BatchTimeoutError(this.id, this.options.timeoutMs);
  }
}

/** Asks for the results again and again. */
export class PollingBatch extends Batch {
  async *[Symbol.asyncIterator](): AsyncGenerator<BatchEvent, void> {
    using deadline = this.deadline();
    yield* pollResults(this, this.options, 0, deadline.signal, () => this.throwIfOver());
  }
}

/**
 * Reads the stream of the batch: output as it comes, and the end of each command. Stops at the first command that
 * fails. When the stream breaks, the rest is polled.
 */
export class StreamingBatch extends Batch {
  async *[Symbol.asyncIterator](): AsyncGenerator<BatchEvent, void> {
    using deadline = this.deadline();
    yield* this.#events(deadline.signal);
  }

  async *#events(limit: AbortSignal): AsyncGenerator<BatchEvent, void> {
    const { daemon, activityId, batchId, size } = this.options;
    const output = new Map<number, { stdout: string; stderr: string }>();
    const of = (index: number) => {
      const found = output.get(index) ?? { stdout: '', stderr: '' };
      output.set(index, found);
      return found;
    };
    let next = 0;
    try {
      for await (const event of daemon.activity.batchEvents(activityId, batchId, { signal: limit })) {
        // A stream that is opened again starts from the first command.
        if (event.index < next) continue;
        if (event.kind !== 'finished') {
          if (event.kind === 'stdout' || event.kind === 'stderr') of(event.index)[event.kind] += event.text;
          yield event;
          continue;
        }
        const { index, date, message, returnCode } = event;
        const ok = returnCode === 0;
        next = index + 1;
        const isBatchFinished = !ok || next >= size;
        const why = message || (ok ? '' : `it ended with code ${returnCode}`);
        yield { kind: 'result', result: { index, date, ok, message: why, isBatchFinished, ...of(index) } };
        if (isBatchFinished) return;
      }
    } catch (error) {
      this.throwIfOver();
      if (!(error instanceof MeshError) || error.code !== 'unavailable') throw error;
    }
    this.throwIfOver();
    for await (const event of pollResults(this, this.options, next, limit, () => this.throwIfOver())) {
      if (event.kind !== 'result') continue;
      const streamed = of(event.result.index);
      const stdout = event.result.stdout || streamed.stdout;
      yield { kind: 'result', result: { ...event.result, stdout, stderr: event.result.stderr || streamed.stderr } };
    }
  }
}

async function* pollResults(
  batch: Batch,
  options: BatchOptions,
  first: number,
  limit: AbortSignal,
  throwIfOver: () => void,
): AsyncGenerator<BatchEvent, void> {
  const { daemon, activityId, batchId, size, awayMs = 60_000, firstBackoffMs = 250 } = options;
  let next = first;
  let failures = 0;
  let lastAnswerMs = performance.now();
  for (;;) {
    throwIfOver();
    let results: readonly ExeResult[];
    const askedMs = performance.now();
    try {
      const waitSeconds = Math.max(1, Math.min(5, Math.ceil(batch.secondsLeft())));
      results = await daemon.activity.batchResults(activityId, batchId, { signal: limit, waitSeconds });
      failures = 0;
      lastAnswerMs = performance.now();
    } catch (error) {
      throwIfOver();
      const mayPass =
        error instanceof MeshError && ['unavailable', 'internal', 'deadline-exceeded'].includes(error.code);
      if (!mayPass || performance.now() - lastAnswerMs > awayMs) throw error;
      await pause(backoffMs(failures, firstBackoffMs, 5000), limit);
      failures += 1;
      continue;
    }
    const before = next;
    for (const result of results) {
      if (result.index < next) continue;
      next = result.index + 1;
      yield { kind: 'result', result };
      if (!result.ok || result.isBatchFinished || next >= size) return;
    }
    // A daemon that does not hold its long polls must not be asked in a tight loop.
    if (next === before && performance.now() - askedMs < 50) await pause(50, limit);
  }
}
