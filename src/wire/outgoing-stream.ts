import type { ServerHttp2Stream } from 'node:http2';
import type { ServerErrorResponse, ServerWritableStream } from '@grpc/grpc-js';
import type { MeshError } from '../base/errors.js';
import { messageOf } from './frames.js';
import { toMetadata } from './metadata.js';
import type { FramedMessage, Headers, OutgoingStream } from './types.js';

type SubscribeCall = ServerWritableStream<Buffer, Uint8Array>;
type StatusOf = (error: MeshError) => ServerErrorResponse;

// Enough for a write to be worth its cost, little enough for a queue to stay what its depth says.
const batchBytes = 64 * 1024;
// The objects of so many streams are in no cache, and a write of each costs more than the bytes of a turn: while the
// connections are busy with what was written before, they gather what a few turns publish.
const manyStreams = 256;
const mostTurns = 3;
// Pieces of less than this are cheaper to copy together than to write one by one.
const joinBytes = 1024;
const none: readonly Uint8Array[] = [];

/** Lets the streams of one server write what they gathered once, at the end of the tick, or of some ticks. */
export class TickFlusher {
  private waiting: BatchedStream[] = [];
  /** Writes that have begun and not ended. */
  private underWay = 0;
  /** Turns for which what waits was held back. */
  private heldTurns = 0;
  private turn: NodeJS.Immediate | undefined;
  private last: Buffer = Buffer.alloc(0);
  private lastFrom: Buffer | undefined;
  private lastStart = 0;

  add(stream: BatchedStream): void {
    if (this.waiting.length === 0) process.nextTick(() => this.flushAtTick());
    this.waiting.push(stream);
  }

  /** A stream has begun a write; `ended` must follow, however that ends. */
  began(): void {
    this.underWay += 1;
  }

  ended(): void {
    this.underWay -= 1;
    if (this.underWay === 0 && this.heldTurns > 0) this.flush();
  }

  private flushAtTick(): void {
    if (this.waiting.length < manyStreams || this.underWay === 0 || this.heldTurns === mostTurns) {
      this.flush();
      return;
    }
    this.heldTurns += 1;
    this.turn = setImmediate(() => this.flushAtTick());
  }

  /** A piece of memory. Subscribers mostly ask for the same one in turn. */
  cut(bytes: Buffer, start: number, end: number): Buffer {
    if (bytes !== this.lastFrom || start !== this.lastStart || end - start !== this.last.length) {
      this.last = bytes.subarray(start, end);
      this.lastFrom = bytes;
      this.lastStart = start;
    }
    return this.last;
  }

  private flush(): void {
    const streams = this.waiting;
    this.waiting = [];
    this.heldTurns = 0;
    clearImmediate(this.turn);
    for (const stream of streams) stream.flush();
    this.lastFrom = undefined;
    this.last = Buffer.alloc(0);
  }
}

/**
 * Writes to the call's own HTTP/2 stream, what was published in one tick at once: many times the events per second of
 * grpc-js's way, and the same bytes on the wire. Headers, trailers and status stay with grpc-js.
 */
export class BatchedStream implements OutgoingStream {
  private readonly call: SubscribeCall;
  private readonly http2: ServerHttp2Stream;
  private readonly flusher: TickFlusher;
  private readonly statusOf: StatusOf;
  /** What is not written yet: whole pieces, and behind them frames that follow each other in one memory. */
  private pieces: Uint8Array[] | undefined;
  private bytes: Buffer | undefined;
  private start = 0;
  private until = 0;
  private pendingBytes = 0;
  /** Bytes that the HTTP/2 stream may hold before it is full. */
  private limit = batchBytes;
  private full = false;
  private ended = false;
  private scheduled = false;
  private listener: () => void = () => undefined;

  constructor(call: SubscribeCall, http2: ServerHttp2Stream, flusher: TickFlusher, statusOf: StatusOf) {
    this.call = call;
    this.http2 = http2;
    this.flusher = flusher;
    this.statusOf = statusOf;
  }

  sendHeaders(headers: Headers): void {
    this.call.sendMetadata(toMetadata(headers));
  }

  write({ bytes, start, end, body }: FramedMessage): boolean {
    if (bytes !== this.bytes || start !== this.until) {
      this.closePiece();
      this.bytes = bytes;
      this.start = start;
    }
    this.until = end;
    this.pendingBytes += end - start;
    if (body !== undefined) {
      this.closePiece();
      this.add(body);
      this.pendingBytes += body.length;
    }
    if (this.pendingBytes >= batchBytes) this.flush();
    else if (!this.scheduled && !this.full) {
      this.scheduled = true;
      this.flusher.add(this);
    }
    return !this.full;
  }

  onDrain(listener: () => void): void {
    this.listener = listener;
  }

  end(error?: MeshError): void {
    if (this.ended) return;
    this.full = false;
    this.flush();
    this.ended = true;
    if (error === undefined) this.call.end();
    else this.call.emit('error', this.statusOf(error));
  }

  /** Writes what is pending, if the stream takes it. */
  flush(): void {
    this.scheduled = false;
    if (this.full || this.ended || this.pendingBytes === 0) return;
    const { http2, pendingBytes } = this;
    const { pieces, last } = this.take();
    if (http2.destroyed || http2.writableEnded) return;
    if (pieces.length > 0) http2.cork();
    for (const piece of pieces) http2.write(piece);
    this.flusher.began();
    http2.write(last, this.written);
    if (pieces.length > 0) http2.uncork();
    // Behind large messages others may follow, so that the connection never waits for the publisher.
    this.limit = Math.max(batchBytes, 4 * pendingBytes);
    // Not what write() says: at 16 KiB it would stop a publisher once a turn.
    this.full = http2.writableLength >= this.limit;
  }

  /** There is room again before all is written: the connection is not to run dry. */
  private readonly written = (): void => {
    this.flusher.ended();
    if (!this.full || this.http2.writableLength >= this.limit) return;
    this.full = false;
    this.flush();
    if (!this.full && !this.ended) this.listener();
  };

  /** What is pending: mostly a single piece, for which no array is made. */
  private take(): { readonly pieces: readonly Uint8Array[]; readonly last: Uint8Array } {
    this.pendingBytes = 0;
    if (this.pieces === undefined && this.bytes !== undefined) {
      const last = this.flusher.cut(this.bytes, this.start, this.until);
      this.bytes = undefined;
      return { pieces: none, last };
    }
    this.closePiece();
    const pieces = joinSmall(this.pieces!);
    this.pieces = undefined;
    return { pieces, last: pieces.pop()! };
  }

  private closePiece(): void {
    if (this.bytes === undefined) return;
    this.add(this.flusher.cut(this.bytes, this.start, this.until));
    this.bytes = undefined;
  }

  private add(piece: Uint8Array): void {
    if (this.pieces === undefined) this.pieces = [piece];
    else this.pieces.push(piece);
  }
}

/** The same bytes in fewer pieces: small ones that follow each other are copied together. */
function joinSmall(pieces: readonly Uint8Array[]): Uint8Array[] {
  const joined: Uint8Array[] = [];
  for (let at = 0; at < pieces.length; ) {
    let next = at;
    while (next < pieces.length && pieces[next]!.length < joinBytes) next++;
    if (next - at > 1) joined.push(Buffer.concat(pieces.slice(at, next)));
    else joined.push(pieces[at]!);
    at = Math.max(next, at + 1);
  }
  return joined;
}

/** Writes by grpc-js's own interface, a message at a time: for a grpc-js whose calls do not show their stream. */
export class CallStream implements OutgoingStream {
  private readonly call: SubscribeCall;
  private readonly statusOf: StatusOf;

  constructor(call: SubscribeCall, statusOf: StatusOf) {
    this.call = call;
    this.statusOf = statusOf;
  }

  sendHeaders(headers: Headers): void {
    this.call.sendMetadata(toMetadata(headers));
  }

  write(message: FramedMessage): boolean {
    return this.call.write(messageOf(message));
  }

  onDrain(listener: () => void): void {
    this.call.on('drain', listener);
  }

  end(error?: MeshError): void {
    if (error === undefined) this.call.end();
    else this.call.emit('error', this.statusOf(error));
  }
}

/**
 * The HTTP/2 stream of a call. It is a private field of grpc-js, so its shape is checked, and undefined means: take
 * the public way.
 */
export function http2StreamOf(call: object): ServerHttp2Stream | undefined {
  const { stream } = (call as { call?: { stream?: Partial<ServerHttp2Stream> } }).call ?? {};
  const isStream =
    typeof stream?.write === 'function' &&
    typeof stream.respond === 'function' &&
    typeof stream.sendTrailers === 'function' &&
    typeof stream.once === 'function';
  return isStream ? (stream as ServerHttp2Stream) : undefined;
}
