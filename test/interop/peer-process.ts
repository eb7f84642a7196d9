import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { PeerLines } from './peer-lines.js';

const maxLines = 20_000;
const stopMs = 3_000;

export interface PeerExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface WaitOptions {
  /** Fails after this long. Default 15,000. */
  readonly timeoutMs?: number;
}

interface Waiter {
  /** Resolves if what it waits for is there. */
  check(): boolean;
  /** Rejects: nothing more will come. */
  end(): void;
}

/** A child process whose output is awaited line by line: JSON lines by `kind`, others by pattern. */
export class PeerProcess {
  /** Resolves when the process has ended and its output is read. */
  readonly exit: Promise<PeerExit>;

  readonly #child: ChildProcess;
  readonly #title: string;
  readonly #text: string[] = [];
  #dropped = 0;
  readonly #parsed: { kind: string }[] = [];
  readonly #waiters = new Set<Waiter>();
  #ended: PeerExit | undefined;

  constructor(command: string, args: readonly string[], env: NodeJS.ProcessEnv) {
    this.#title = [command, ...args].join(' ');
    this.#child = spawn(command, args, { env, stdio: ['pipe', 'pipe', 'pipe'] });
    // A write to a process that is gone shows as its exit, not as a broken pipe.
    this.#child.stdin?.on('error', () => {});
    this.#read(this.#child.stdout, 'stdout');
    this.#read(this.#child.stderr, 'stderr');
    this.exit = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      this.#child.once('close', (code, signal) => {
        this.#ended = { code, signal };
        resolve(this.#ended);
        for (const waiter of [...this.#waiters]) if (!waiter.check()) waiter.end();
      });
    });
    this.exit.catch(() => {});
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get running(): boolean {
    return this.#ended === undefined;
  }

  /** Lines printed so far on both outputs; a mark for `printed`. */
  get lineCount(): number {
    return this.#dropped + this.#text.length;
  }

  /** What is kept of both outputs, the newest 20,000 lines. */
  get output(): string {
    return this.#text.join('\n');
  }

  /**
   * The first line of this kind that was not taken before; `where` picks among them. Rejects when the process ends
   * without one, or at the deadline.
   */
  next<K extends keyof PeerLines>(
    kind: K,
    where: (line: PeerLines[K]) => boolean = () => true,
    options: WaitOptions = {},
  ): Promise<PeerLines[K]> {
    return this.#wait(`a line of kind "${kind}"`, options, () => {
      const index = this.#parsed.findIndex((line) => line.kind === kind && where(line as unknown as PeerLines[K]));
      return index < 0 ? undefined : (this.#parsed.splice(index, 1)[0] as unknown as PeerLines[K]);
    });
  }

  /** The next `count` lines of this kind, in order. */
  async take<K extends keyof PeerLines>(kind: K, count: number, options: WaitOptions = {}): Promise<PeerLines[K][]> {
    const lines: PeerLines[K][] = [];
    while (lines.length < count) lines.push(await this.next(kind, undefined, options));
    return lines;
  }

  /** Every line of this kind that is there and was not taken before. */
  taken<K extends keyof PeerLines>(kind: K): PeerLines[K][] {
    const lines = this.#parsed.filter((line) => line.kind === kind);
    for (const line of lines) this.#parsed.splice(this.#parsed.indexOf(line), 1);
    return lines as unknown as PeerLines[K][];
  }

  /** The first line on either output that matches, from line `since` on (default from the start). */
  printed(pattern: RegExp, options: WaitOptions & { readonly since?: number } = {}): Promise<RegExpMatchArray> {
    let at = options.since ?? 0;
    return this.#wait(`a line like ${pattern}`, options, () => {
      for (; at < this.lineCount; at += 1) {
        const match = this.#text[at - this.#dropped]?.match(pattern);
        if (match) return match;
      }
      return undefined;
    });
  }

  /** Writes one JSON line to the process. */
  send(line: object): void {
    this.#child.stdin?.write(`${JSON.stringify(line)}\n`);
  }

  /** Writes text to the process and closes its input. */
  finish(text = ''): void {
    this.#child.stdin?.end(text);
  }

  /** Sends a signal, such as SIGSTOP to a subscriber that should stop reading. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** SIGTERM, and SIGKILL if that does not end it. Can be called twice. */
  async stop(): Promise<PeerExit> {
    if (this.#child.pid === undefined) return { code: null, signal: null };
    // A stopped process handles no SIGTERM.
    this.#child.kill('SIGCONT');
    this.#child.kill('SIGTERM');
    const force = setTimeout(() => this.kill(), stopMs);
    try {
      return await this.exit;
    } finally {
      clearTimeout(force);
    }
  }

  /** SIGKILL, without waiting. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #read(stream: Readable | null, from: 'stdout' | 'stderr'): void {
    if (!stream) return;
    createInterface({ input: stream }).on('line', (line) => {
      this.#text.push(line);
      const kind = from === 'stdout' ? parse(line) : undefined;
      if (kind) this.#parsed.push(kind);
      if (this.#text.length > maxLines) {
        this.#text.shift();
        this.#dropped += 1;
      }
      if (this.#parsed.length > maxLines) this.#parsed.shift();
      for (const waiter of [...this.#waiters]) waiter.check();
    });
  }

  #wait<T>(what: string, { timeoutMs = 15_000 }: WaitOptions, find: () => T | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        check: () => {
          const found = find();
          if (found === undefined) return false;
          forget();
          resolve(found);
          return true;
        },
        end: () => fail(`ended without ${what}`),
      };
      const forget = () => {
        clearTimeout(timer);
        this.#waiters.delete(waiter);
      };
      const fail = (why: string) => {
        forget();
        reject(this.#failure(why));
      };
      const timer = setTimeout(() => fail(`did not print ${what} in ${timeoutMs} ms`), timeoutMs);
      this.#waiters.add(waiter);
      if (!waiter.check() && this.#ended) waiter.end();
    });
  }

  #failure(what: string): Error {
    const { code = null, signal = null } = this.#ended ?? {};
    const ending = this.#ended ? ` (exit code ${code}, signal ${signal})` : '';
    return new Error(`${this.#title} ${what}${ending}. Its last lines:\n${this.#text.slice(-20).join('\n')}`);
  }
}

function parse(line: string): { kind: string } | undefined {
  if (!line.startsWith('{"kind"')) return undefined;
  try {
    return JSON.parse(line) as { kind: string };
  } catch {
    // The last line of a process that was killed while printing it.
    return undefined;
  }
}
