import { MeshError } from 'furrow';
import {
  CommandExecutionError,
  isCallersFault,
  Service,
  type ServiceHandler,
  type TerminationReason,
  type WorkContext,
} from 'furrow/golem';
import type { Desk, Steps } from './desk.js';

/** A row of the provider's database. */
export interface Observation {
  readonly val: number;
  readonly time_added: string;
}

/** `furrow.Plot`. */
export interface Plot {
  readonly name: string;
  readonly kind: string;
  readonly png: Uint8Array;
}

/** The figures of `--stats`; null without observations. */
export type Statistics = Readonly<Record<string, number | null>>;

export type Usage = Awaited<ReturnType<WorkContext['usage']>>;

/** What others may ask of a running instance. */
export interface Requested {
  add(value: number): Steps<void>;
  statistics(): Steps<Statistics>;
  /** Without the first `since`. */
  dump(since: number): Steps<readonly Observation[]>;
  /** `kind`: time or dist. */
  plot(kind: string): Steps<Plot>;
  /** What the provider has counted, and what that costs so far in GLM. */
  usage(): Steps<Usage>;
}

export interface SimpleServiceParams {
  readonly instanceName: string;
  /** Where requests wait. */
  readonly desk: Desk<Requested>;
  /** Observations a second of the daemon on the provider. */
  readonly rateHz: number;
  /** Between two questions for new observations. */
  readonly sampleMs: number;
  readonly statsMs: number;
  /** Infinity is never. */
  readonly plotMs: number;
  /** Whether another provider is tried when one fails an instance that has run. */
  readonly redeploys: boolean;
  /** Whether the daemon on the provider should run, as of now. */
  readonly wantsSamples: () => boolean;
  /** Each observation, once, in order. */
  readonly onObservation: (observation: Observation) => Promise<unknown>;
  readonly onStatistics: (statistics: Statistics) => Promise<unknown>;
  readonly onPlot: (plot: Plot) => Promise<unknown>;
  readonly onTrouble: (message: string) => void;
}

const program = '/golem/run/simple_service';
const control = '/golem/run/simulate_observations_ctl';
const scriptTimeoutMs = 60_000;

/** The simple service on a provider: starts its daemon, follows its observations, and does what the desk has. */
export class SimpleService extends Service<SimpleServiceParams> {
  /** Observations of this provider's database that were handed on. */
  #followed = 0;
  #simulates = false;

  override async *start(work: WorkContext): ServiceHandler {
    this.#followed = 0;
    this.#simulates = false;
    const script = work.newScript();
    script.deploy();
    script.start();
    script.run(program, ['--init']);
    yield script;
  }

  override async *run(work: WorkContext): ServiceHandler {
    const { desk, sampleMs, statsMs, plotMs, onStatistics, onPlot } = this.params;
    const plots = ['time', 'dist'];
    const now = performance.now();
    // Each due once in its period; after a long command from then on.
    const duties = [
      { everyMs: sampleMs, due: now + sampleMs, steps: () => this.#follow(work) },
      { everyMs: statsMs, due: now, steps: () => told(this.#statistics(work), onStatistics) },
      {
        everyMs: plotMs,
        due: now + plotMs,
        steps: () => {
          plots.push(plots.shift()!);
          return told(this.#plot(work, plots.at(-1)!), onPlot);
        },
      },
    ];
    const requested: Requested = {
      add: (value) => this.#add(work, value),
      statistics: () => this.#statistics(work),
      dump: (since) => this.#dump(work, since),
      plot: (kind) => this.#plot(work, kind),
      usage: () => this.#usage(work),
    };
    desk.open();
    try {
      while (!work.signal.aborted) {
        const job = desk.take();
        if (job !== undefined) {
          yield* finished(job.steps(requested), job.resolve, job.reject);
          continue;
        }
        if (this.params.wantsSamples() !== this.#simulates) {
          yield* this.#tolerant(this.#switch(work));
          continue;
        }
        const duty = duties.reduce((first, other) => (other.due < first.due ? other : first));
        const leftMs = duty.due - performance.now();
        if (leftMs > 0) {
          await desk.wait(Math.min(leftMs, 2 ** 31 - 1), work.signal);
          continue;
        }
        duty.due = performance.now() + duty.everyMs;
        yield* this.#tolerant(duty.steps());
      }
    } finally {
      desk.close();
    }
  }

  /** The last observations are still fetched. */
  override async *shutdown(work: WorkContext): ServiceHandler {
    if (this.#simulates) yield* this.#tolerant(this.#switch(work, false));
    yield* this.#tolerant(this.#follow(work));
    const script = work.newScript();
    script.terminate();
    yield script;
  }

  override restartCondition(reason: TerminationReason, { hasRun }: { readonly hasRun: boolean }): boolean {
    if (hasRun && (!this.params.redeploys || reason.kind === 'finished' || reason.kind === 'expired')) return false;
    return !isCallersFault(reason);
  }

  /** Hands on the observations that are new. */
  async *#follow(work: WorkContext): Steps<void> {
    for (const observation of yield* this.#dump(work, this.#followed)) {
      // Counted first, and a handler that has ended hands on no more: nothing is handed on twice.
      if (work.signal.aborted) return;
      this.#followed += 1;
      await this.params.onObservation(observation);
    }
  }

  async *#add(work: WorkContext, value: number): Steps<void> {
    yield* this.#ask(work, [`--add=${value}`]);
  }

  async *#statistics(work: WorkContext): Steps<Statistics> {
    return JSON.parse(yield* this.#ask(work, ['--stats'])) as Statistics;
  }

  async *#dump(work: WorkContext, since: number): Steps<readonly Observation[]> {
    return JSON.parse(yield* this.#ask(work, ['--dump', '--since', String(since)])) as Observation[];
  }

  async *#plot(work: WorkContext, kind: string): Steps<Plot> {
    const path = JSON.parse(yield* this.#ask(work, ['--plot', kind])) as string;
    const name = `${this.params.instanceName}-${kind}.png`;
    if (path === '') return { name, kind, png: new Uint8Array(0) };
    const script = work.newScript({ timeoutMs: scriptTimeoutMs });
    const png = script.downloadBytes(path);
    yield script;
    return { name, kind, png: await png };
  }

  // biome-ignore lint/correctness/useYield: no script is needed, but it is asked for like the others.
  async *#usage(work: WorkContext): Steps<Usage> {
    return work.usage();
  }

  async *#ask(work: WorkContext, args: readonly string[]): Steps<string> {
    const script = work.newScript({ timeoutMs: scriptTimeoutMs });
    script.run(program, args);
    const [result] = yield script;
    return result?.stdout ?? '';
  }

  /** Starts or stops the daemon, whichever is wanted. */
  async *#switch(work: WorkContext, on = this.params.wantsSamples()): Steps<void> {
    const script = work.newScript({ timeoutMs: scriptTimeoutMs });
    script.run(control, on ? this.#startArgs() : ['--stop']);
    // A failure says that it runs, or does not, already; either way this is how it stands.
    this.#simulates = on;
    yield script;
  }

  #startArgs(): readonly string[] {
    return ['--start', '--rate-hz', String(this.params.rateHz)];
  }

  /** A command that fails is told, and the service goes on; anything else ends the handler. */
  async *#tolerant(steps: Steps<void>): Steps<void> {
    try {
      yield* steps;
    } catch (error) {
      if (!(error instanceof CommandExecutionError)) throw error;
      this.params.onTrouble(error.message);
    }
  }
}

async function* told<T>(steps: Steps<T>, tell: (value: T) => Promise<unknown>): Steps<void> {
  await tell(yield* steps);
}

/** Settles a job, whatever becomes of its steps; ends the handler only when the provider is the trouble. */
async function* finished(
  steps: Steps<unknown>,
  resolve: (value: unknown) => void,
  reject: (error: unknown) => void,
): Steps<void> {
  try {
    resolve(yield* steps);
  } catch (error) {
    const failed = error instanceof CommandExecutionError;
    reject(failed ? new MeshError('failed-precondition', error.message, { cause: error }) : error);
    if (error instanceof MeshError && !failed) throw error;
  } finally {
    // Of no effect after one of the others: a handler that was ended at a yield comes only here.
    reject(new MeshError('unavailable', 'the instance ended before the request was done'));
  }
}
