import type { ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import { pause } from '../base/pause.js';
import { backoffMs } from '../mesh/backoff.js';
import { exitCodes } from '../program/exit-codes.js';
import type { ChildCommand } from './child-command.js';
import type { Console } from './console.js';
import { spawnGuarded } from './spawn-guarded.js';

/** How a run of the program ended. */
interface Run {
  /** The exit code, or the signal that ended it. */
  readonly how: string;
  readonly code: number | undefined;
  /** It could not even be started. */
  readonly neverRan?: string;
}

/** After running for so long, a crash counts as the first one again. */
const stableMs = 10_000;

/** How long output may come after the process has ended: something else may hold it open. */
const lastOutputMs = 500;

/**
 * One service of `furrow up`: a process of its own that is started again when it crashes, waiting longer each time.
 * It is not started again when it ends by itself without an error, or because its configuration or its options are wrong.
 */
export class ServiceProcess {
  readonly name: string;
  readonly #command: ChildCommand;
  readonly #console: Console;
  readonly #limitMs: number;
  readonly #stopping = new AbortController();
  readonly #ended: Promise<number>;
  #child: ChildProcess | undefined;
  #lastError = '';

  /** Starts it, once `turn` has come. It may take `limitMs` to stop. */
  constructor(
    name: string,
    command: ChildCommand,
    { console, limitMs, turn }: { console: Console; limitMs: number; turn?: Promise<unknown> | undefined },
  ) {
    this.name = name;
    this.#command = command;
    this.#console = console;
    this.#limitMs = limitMs;
    this.#ended = turn === undefined ? this.#keepRunning() : this.#keepRunningAfter(turn);
  }

  /** Resolves when it has ended and will not be started again, with the exit code that this means for all. */
  get ended(): Promise<number> {
    return this.#ended;
  }

  /** SIGTERM, and SIGKILL after the limit. Resolves when it has ended. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#signal('SIGTERM');
    const force = setTimeout(() => {
      if (this.#child === undefined) return;
      this.#say('killed', `${this.name} did not stop within ${this.#limitMs / 1000} s and is killed`);
      this.kill();
    }, this.#limitMs);
    await this.#ended;
    clearTimeout(force);
  }

  /** SIGKILL at once. */
  kill(): void {
    this.#stopping.abort();
    this.#signal('SIGKILL');
  }

  async #keepRunningAfter(turn: Promise<unknown>): Promise<number> {
    const { signal } = this.#stopping;
    const stopped = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    await Promise.race([turn, stopped]);
    return this.#keepRunning();
  }

  async #keepRunning(): Promise<number> {
    const { signal } = this.#stopping;
    let failures = 0;
    while (!signal.aborted) {
      const startedMs = performance.now();
      const { how, code, neverRan } = await this.#runOnce();
      if (signal.aborted) {
        this.#say('stopped', `${this.name} stopped (${how})`);
        return exitCodes.ok;
      }
      if (neverRan !== undefined) {
        this.#say('gave-up', `${this.name} cannot be started: ${neverRan}`);
        return exitCodes.usage;
      }
      if (code === exitCodes.ok) {
        this.#say('ended', `${this.name} has ended by itself`);
        return exitCodes.ok;
      }
      if (code === exitCodes.usage) {
        const reason = this.#lastError === '' ? '' : `: ${this.#lastError}`;
        const what = 'its configuration, args or options are wrong, so it is not started again';
        this.#say('gave-up', `${this.name} ended with ${how}; ${what}${reason}`);
        return exitCodes.usage;
      }
      failures = performance.now() - startedMs >= stableMs ? 1 : failures + 1;
      const waitMs = Math.round(backoffMs(failures));
      this.#say('crashed', `${this.name} ended with ${how}; it is started again in ${waitMs} ms`, { waitMs });
      await pause(waitMs, signal);
    }
    return exitCodes.ok;
  }

  async #runOnce(): Promise<Run> {
    this.#lastError = '';
    const child = spawnGuarded(this.#command, 'pipe', this.#limitMs);
    this.#child = child;
    if (child.stdout !== null) this.#console.attach(this.name, child.stdout);
    if (child.stderr !== null) this.#console.attach(this.name, child.stderr, (line) => this.#keepError(line));
    const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
    const run = await new Promise<Run>((resolve) => {
      child.once('error', (error) => resolve({ how: 'an error', code: undefined, neverRan: error.message }));
      child.once('exit', (code, signal) =>
        resolve({ how: signal ?? `exit code ${code}`, code: signal === null ? (code ?? undefined) : undefined }),
      );
    });
    if (run.neverRan === undefined) {
      // Whatever it had started itself must not hold its port or outlive it.
      this.#signal('SIGKILL');
      await atMost(lastOutputMs, closed);
    }
    // A process that it left behind may hold these open, and must not keep us from ending.
    for (const stream of child.stdio) (stream as Socket | null)?.unref();
    this.#child = undefined;
    return run;
  }

  #keepError(line: string): void {
    if (line.trim() !== '') this.#lastError = line.slice(0, 300);
  }

  #signal(signal: NodeJS.Signals): void {
    const pid = this.#child?.pid;
    if (pid === undefined) return;
    try {
      process.kill(-pid, signal);
    } catch {
      // It has gone already.
    }
  }

  #say(event: string, message: string, fields: object = {}): void {
    this.#console.say({ event, service: this.name, message, ...fields });
  }
}

async function atMost(ms: number, promise: Promise<void>): Promise<void> {
  const over = new AbortController();
  await Promise.race([promise, pause(ms, over.signal)]);
  over.abort();
}
