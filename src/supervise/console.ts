import type { Readable, Writable } from 'node:stream';
import { LineSplitter } from './line-splitter.js';

/** The name under which `furrow up` speaks itself. */
const ownName = 'furrow';

/** What `up` says itself: a line for people, and fields for programs that read `--json`. */
export interface Notice {
  readonly event: string;
  readonly message: string;
  readonly service?: string;
  readonly [field: string]: unknown;
}

export interface ConsoleOptions {
  /** JSON lines: those of services as they are, any other text wrapped in an object. Default false. */
  readonly json?: boolean;
  /** Default false. */
  readonly colour?: boolean;
  /** Called once, when nobody reads the output any more. */
  readonly onBroken?: () => void;
}

const colours = [36, 33, 32, 35, 34, 96, 93, 92, 95, 94] as const;

/** Bytes of our own lines that may wait for a reader; more are left out. */
const maxWaitingBytes = 1_000_000;

/**
 * Merges the output of several services line by line onto one output, each line with the name of its service before
 * it. While the reader of the output is slow, the services' streams are not read, so little waits in memory.
 */
export class Console {
  readonly #out: Writable;
  readonly #names: readonly string[];
  readonly #options: ConsoleOptions;
  readonly #width: number;
  readonly #waiting = new Set<Readable>();
  #broken = false;

  /** @param names of the services, for the column and the colours */
  constructor(out: Writable, names: readonly string[], options: ConsoleOptions = {}) {
    this.#out = out;
    this.#names = names;
    this.#options = options;
    this.#width = Math.max(ownName.length, ...names.map((name) => name.length));
    out.on('drain', () => this.#resume());
    out.on('error', () => this.#break());
    out.on('close', () => this.#break());
  }

  /** Prints the lines of a stream until it ends. `onLine` sees each of them, too. */
  attach(name: string, stream: Readable, onLine: (line: string) => void = () => undefined): void {
    const splitter = new LineSplitter();
    const print = (lines: readonly Buffer[]): void => {
      if (lines.length === 0) return;
      for (const line of lines) onLine(line.toString());
      if (this.#write(Buffer.concat(lines.flatMap((line) => this.#format(name, line))))) return;
      stream.pause();
      this.#waiting.add(stream);
    };
    stream.on('data', (chunk: Buffer) => print(splitter.push(chunk)));
    stream.on('end', () => print(splitter.finish()));
    stream.on('error', () => undefined);
    stream.on('close', () => this.#waiting.delete(stream));
  }

  /** Prints a line of our own. */
  say({ message, ...fields }: Notice): void {
    if (this.#out.writableLength > maxWaitingBytes) return;
    const line = this.#options.json
      ? JSON.stringify({ level: 30, time: Date.now(), name: ownName, ...fields, msg: message })
      : message;
    this.#write(Buffer.concat(this.#format(ownName, Buffer.from(line))));
  }

  #format(name: string, line: Buffer): Buffer[] {
    if (!this.#options.json) return [Buffer.from(this.#prefix(name)), line, endOfLine];
    if (isJson(line)) return [line, endOfLine];
    return [Buffer.from(JSON.stringify({ level: 30, time: Date.now(), name, msg: line.toString() })), endOfLine];
  }

  #prefix(name: string): string {
    const text = `${name.padEnd(this.#width)} |`;
    if (!this.#options.colour) return `${text} `;
    const index = this.#names.indexOf(name);
    return `\u001b[${index < 0 ? 1 : colours[index % colours.length]}m${text}\u001b[0m `;
  }

  /** False when the caller should wait. */
  #write(bytes: Buffer): boolean {
    return this.#broken || this.#out.write(bytes);
  }

  #resume(): void {
    const streams = [...this.#waiting];
    this.#waiting.clear();
    for (const stream of streams) stream.resume();
  }

  #break(): void {
    if (this.#broken) return;
    this.#broken = true;
    // What nobody reads is thrown away, so that no service hangs in a write while it is stopped.
    this.#resume();
    this.#options.onBroken?.();
  }
}

const endOfLine = Buffer.from('\n');

function isJson(line: Buffer): boolean {
  if (line[0] !== 0x7b) return false;
  try {
    JSON.parse(line.toString());
    return true;
  } catch {
    return false;
  }
}
