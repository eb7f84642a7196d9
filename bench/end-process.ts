import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type Answer, readLines, writeLine } from './json-lines.js';

export type Role = 'publisher' | 'subscriber';

export interface Launch {
  readonly file: string;
  readonly args: readonly string[];
}

/** An end in Node. */
export function nodeEnd(subject: string, role: Role): Launch {
  const script = fileURLToPath(new URL('./end.js', import.meta.url));
  return { file: process.execPath, args: ['--expose-gc', script, subject, role] };
}

// Nothing a bench asks takes this long.
const answerTimeoutMs = 60_000;

/** A process that the bench asks to do things. */
export class EndProcess {
  private readonly name: string;
  private readonly child: ChildProcess;
  private readonly waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  private nextId = 0;

  constructor(name: string, { file, args }: Launch) {
    this.name = name;
    this.child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    readLines(this.child.stdout!, (line) => {
      const { id, value, error } = line as Answer;
      const waiter = this.waiting.get(id);
      this.waiting.delete(id);
      if (error === undefined) waiter?.resolve(value);
      else waiter?.reject(new Error(`${name}: ${error}`));
    });
    this.child.stdin!.on('error', () => undefined);
    this.child.on('error', (error) => this.fail(error));
    this.child.on('exit', (code) => this.fail(new Error(`${name} ended with exit code ${code}`)));
  }

  ask<T = void>(command: string, args: object = {}): Promise<T> {
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`${this.name} did not answer ${command} within ${answerTimeoutMs / 1e3} s`)),
        answerTimeoutMs,
      );
      const done = (): void => {
        clearTimeout(timer);
      };
      this.waiting.set(id, {
        resolve: (value) => {
          done();
          resolve(value as T);
        },
        reject: (error) => {
          done();
          reject(error);
        },
      });
      writeLine(this.child.stdin!, { id, command, args });
    });
  }

  /** Asks it to end, and kills it when it does not. */
  async close(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exit = once(this.child, 'exit');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 5_000);
    this.ask('close').catch(() => undefined);
    await exit;
    clearTimeout(timer);
  }

  private fail(error: Error): void {
    for (const { reject } of this.waiting.values()) reject(error);
    this.waiting.clear();
  }
}
