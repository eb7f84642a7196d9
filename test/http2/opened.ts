import { onTestFinished } from 'vitest';
import { ClientConnection, type ClientConnectionOptions } from '../../src/http2/client-connection.js';
import type { ClientStream, StreamListener } from '../../src/http2/client-stream.js';
import type { HeaderFields } from '../../src/http2/header-decoder.js';
import type { Memory } from '../../src/http2/memory.js';

export interface Opened {
  readonly connection: ClientConnection;
  /** Resolves with the reason when the connection is over. */
  readonly closed: Promise<Error | undefined>;
  /** Resolves when the server takes no more streams. */
  readonly goaway: Promise<void>;
}

/** An open connection; rejects with the reason when there is none to be had. */
export async function open(port: number, options: Partial<ClientConnectionOptions> = {}): Promise<Opened> {
  let told: () => void;
  let over: (reason: Error | undefined) => void;
  const goaway = new Promise<void>((resolve) => {
    told = resolve;
  });
  const closed = new Promise<Error | undefined>((resolve) => {
    over = resolve;
  });
  const connection = await new Promise<ClientConnection>((resolve, reject) => {
    const made: ClientConnection = new ClientConnection({
      host: '127.0.0.1',
      port,
      tls: undefined,
      streamWindowBytes: 100_000,
      connectionWindowBytes: 1_000_000,
      onOpen: () => resolve(made),
      onGoaway: () => told(),
      onClosed: () => {
        over(made.reason);
        reject(made.reason ?? new Error('it hung up'));
      },
      ...options,
    });
    onTestFinished(() => made.destroy(new Error('the test is over')));
  });
  return { connection, closed, goaway };
}

export const requestFields: [string, string][] = [
  [':method', 'POST'],
  [':scheme', 'http'],
  [':authority', 'here'],
  [':path', '/echo'],
];

/** Writes down what a stream brings, as text: `headers 200`, `data 12`, `trailers`, `ended`, `closed 0`. */
export class Recorder implements StreamListener {
  readonly said: string[] = [];
  readonly closing: Promise<number | undefined>;
  readonly pieces: Buffer[] = [];
  fields: HeaderFields = {};
  trailing: HeaderFields = {};
  private isFresh = false;
  private over!: (code: number | undefined) => void;
  /** Called with each line, and with `settled` (once after data) and `drained`. */
  on: (line: string) => void = () => undefined;

  constructor(on?: (line: string) => void) {
    if (on !== undefined) this.on = on;
    this.closing = new Promise((resolve) => {
      this.over = resolve;
    });
  }

  get body(): Buffer {
    return Buffer.concat(this.pieces);
  }

  headers(fields: HeaderFields): void {
    this.fields = fields;
    this.say(`headers ${fields[':status']}`);
  }

  data(memory: Memory, start: number, end: number): void {
    this.pieces.push(Buffer.from(memory.bytes.subarray(start, end)));
    this.isFresh = true;
    this.say(`data ${end - start}`);
  }

  settled(): void {
    if (this.isFresh) this.on('settled');
    this.isFresh = false;
  }

  trailers(fields: HeaderFields): void {
    this.trailing = fields;
    this.say('trailers');
  }

  ended(): void {
    this.say('ended');
  }

  drained(): void {
    this.on('drained');
  }

  closed(code: number | undefined): void {
    this.say(`closed ${code}`);
    this.over(code);
  }

  private say(line: string): void {
    this.said.push(line);
    this.on(line);
  }
}

/** Begins a stream whose own half is over at once, save `open`. */
export function ask(
  connection: ClientConnection,
  { body, keepOpen = false, on }: { body?: Buffer; keepOpen?: boolean; on?: (line: string) => void } = {},
): { stream: ClientStream; heard: Recorder } {
  const heard = new Recorder(on);
  const stream = connection.request(requestFields, heard);
  if (keepOpen) {
    if (body !== undefined) stream.write(body);
  } else stream.end(body);
  return { stream, heard };
}
