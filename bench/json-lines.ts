import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

/** A question to a process: a command's name and what it needs. */
export interface Ask {
  readonly id: number;
  readonly command: string;
  readonly args: unknown;
}

/** Its answer, or why there is none. */
export interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}

/** Calls `take` with every object that comes; what a library prints in between is left out. */
export function readLines(input: Readable, take: (value: unknown) => void): void {
  createInterface({ input }).on('line', (line) => {
    if (line.startsWith('{"id":')) take(JSON.parse(line));
  });
}

export function writeLine(output: Writable, value: unknown): void {
  output.write(`${JSON.stringify(value)}\n`);
}
