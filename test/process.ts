import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** How a process ended: one of the two is null. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface WaitOptions {
  /** Fails after this long. Default 15,000. */
  readonly timeoutMs?: number;
  /** Looks only at lines from this index on; `lines.length` for what is still to come. Default 0. */
  readonly from?: number;
}

export interface StartOptions {
  /** Added to the test's own environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

const maxLines = 50_000;

/** The repository's root, with a slash at its end. */
export const rootDirectory = fileURLToPath(new URL('..', import.meta.url));

/** A program under test, whose output is awaited line by line. Dispose of it, so that a failed test leaves none behind. */
export class TestProcess implements AsyncDisposable {
  /** Lines of standard output and standard error as they came, without their ends. */
  readonly lines: string[] = [];
  /** Resolves when the process has ended and its output is read. */
  readonly exit: Promise<Exit>;

  readonly #child: ChildProcess;
  readonly #title: string;
  readonly #checks = new Set<() => void>();
  #ended: Exit | undefined;

  constructor(command: string, args: readonly string[], { env = {}, cwd = rootDirectory }: StartOptions = {}) {
    this.#title = [command, ...args].join(' ');
    this.#child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child.stdin?.on('error', () => undefined);
    this.#read(this.#child.stdout);
    this.#read(this.#child.stderr);
    this.exit = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      this.#child.once('close', (code, signal) => {
        this.#ended = { code, signal };
        resolve(this.#ended);
        for (const check of [...this.#checks]) check();
      });
    });
    this.exit.catch(() => undefined);
  }

  /** Errors when it could not be started. */
  get pid(): number {
    if (this.#child.pid === undefined) throw new Error(`${this.#title} did not start`);
    return this.#child.pid;
  }

  /** Whether it still runs. */
  get running(): boolean {
    return this.#ended === undefined;
  }

  /** The first line that matches, past or to come. Fails with the last lines when the process ends or time is over. */
  async line(pattern: RegExp, options: WaitOptions = {}): Promise<RegExpMatchArray> {
    const { from = 0, timeoutMs = 15_000 } = options;
    let next = from;
    return new Promise((resolve, reject) => {
      const settle = (action: () => void): void => {
        clearTimeout(timer);
        this.#checks.delete(check);
        action();
      };
      const check = (): void => {
        for (; next < this.lines.length; next += 1) {
          const match = this.lines[next]?.match(pattern);
          if (match) {
            settle(() => resolve(match));
            return;
          }
        }
        if (this.#ended !== undefined) settle(() => reject(this.#failure(`ended without ${pattern}`)));
      };
      const late = (): void => settle(() => reject(this.#failure(`printed no ${pattern} in ${timeoutMs} ms`)));
      const timer = setTimeout(late, timeoutMs);
      this.#checks.add(check);
      check();
    });
  }

  /** Waits for its end. Fails when time is over. */
  async ended({ timeoutMs = 15_000 }: WaitOptions = {}): Promise<Exit> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(this.#failure(`did not end in ${timeoutMs} ms`)), timeoutMs);
    });
    try {
      return await Promise.race([this.exit, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Closes the reading end of its standard output, as `head` does. */
  closeOutput(): void {
    this.#child.stdout?.destroy();
  }

  /** Stops and continues reading its standard output, as a slow reader does. */
  readOutput(reading: boolean): void {
    if (reading) this.#child.stdout?.resume();
    else this.#child.stdout?.pause();
  }

  /** SIGTERM, and SIGKILL if that does not end it in `limitMs`. Can be called twice. */
  async stop(limitMs = 10_000): Promise<Exit> {
    if (this.#child.pid === undefined) return { code: null, signal: null };
    // A stopped process handles no SIGTERM.
    this.signal('SIGCONT');
    this.signal('SIGTERM');
    const force = setTimeout(() => this.signal('SIGKILL'), limitMs);
    try {
      return await this.exit;
    } finally {
      clearTimeout(force);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #read(stream: Readable | null): void {
    if (stream === null) return;
    createInterface({ input: stream }).on('line', (line) => {
      if (this.lines.length < maxLines) this.lines.push(line);
      for (const check of [...this.#checks]) check();
    });
  }

  #failure(what: string): Error {
    const { code = null, signal = null } = this.#ended ?? {};
    const ending = this.#ended === undefined ? '' : ` (exit code ${code}, signal ${signal})`;
    return new Error(`${this.#title} ${what}${ending}. Its last lines:\n${this.lines.slice(-30).join('\n')}`);
  }
}

/** Starts the compiled command line: `startFurrow(['check', '-c', file])`. */
export function startFurrow(args: readonly string[], options: StartOptions = {}): TestProcess {
  return new TestProcess(process.execPath, [`${rootDirectory}dist/src/cli/main.js`, ...args], options);
}

/** Where the compiled form of a program of test/ is: `testProgram('mesh/service-process')`. */
export function testProgram(name: string): string {
  return `${rootDirectory}dist/test/${name}.js`;
}

/** Starts a compiled program of services/: `startService('agent', ['-c', file, '-n', 'agent-1'])`. */
export function startService(program: string, args: readonly string[], options: StartOptions = {}): TestProcess {
  return new TestProcess(process.execPath, [`${rootDirectory}dist/services/${program}.js`, ...args], options);
}

/**
 * Ports of this machine that were free a moment ago, all different. They lie below the range that the system takes
 * for outgoing connections: a client that retries a port of that range can meet itself.
 */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = 15_000 + Math.floor(Math.random() * 17_000);
    if (await isFree(port)) ports.add(port);
  }
  return [...ports];
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, () => server.close(() => resolve(true)));
  });
}

/** Waits until `condition` holds. Fails, naming `what`, when time is over. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  { timeoutMs = 15_000 }: { readonly timeoutMs?: number } = {},
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`${what} did not come true in ${timeoutMs} ms`);
    await delay(20);
  }
}

/** Whether a process of this id runs; a zombie does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    // It has just gone, or this system has no /proc.
    return process.platform !== 'linux';
  }
}
