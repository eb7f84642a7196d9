import type { ServerHttp2Stream } from 'node:http2';
import type { ServerErrorResponse, ServerWritableStream } from '@grpc/grpc-js';
import type { MeshError } from '../base/errors.js';
import { messageOf } from './frames.js';
import { toMetadata } from './metadata.js';
import type { TickFlusher } from './tick-flusher.js';
import type { FramedMessage, Headers, OutgoingStream } from './types.js';

type SubscribeCall = ServerWritableStream<Buffer, Uint8Array>;
type StatusOf = (error: MeshError) => ServerErrorResponse;

// Enough for a write to be worth its cost, little enough for a queue to stay what its depth says.
const batchBytes = 64 * 1024;
// And when others have to write before it.
const mostGathered = 4 * batchBytes;
// Pieces of less than this are cheaper to copy together than to write one by one.
const joinBytes = 1024;
const noPieces: readonly Uint8Array[] = [];

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
  /** Bytes of its writes that the flusher counts, and since when. */
  private underWay = 0;
  private epoch = 0;
  /** As much is pending as may be, until its turn comes. */
  private held = false;
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
    if (this.pendingBytes < batchBytes) this.schedule();
    else if (!this.flusher.isBusy) this.flush();
    else {
      this.schedule();
      this.held = this.scheduled && this.pendingBytes >= mostGathered;
    }
    return !this.full && !this.held;
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

  /** Its turn has come. */
  takeTurn(): void {
    const wasHeld = this.held;
    this.scheduled = false;
    this.held = false;
    this.flush();
    if (wasHeld && !this.full && !this.ended) this.listener();
  }

  /** Writes what is pending, if the stream takes it. */
  private flush(): void {
    if (this.full || this.ended || this.pendingBytes === 0) return;
    const { http2, pendingBytes } = this;
    const { pieces, last } = this.take();
    if (http2.destroyed || http2.writableEnded) return;
    if (pieces.length > 0) http2.cork();
    for (const piece of pieces) http2.write(piece);
    if (this.epoch !== this.flusher.epoch) this.underWay = 0;
    this.epoch = this.flusher.epoch;
    this.underWay += pendingBytes;
    this.flusher.began(pendingBytes);
    http2.write(last, this.written);
    if (pieces.length > 0) http2.uncork();
    // Behind large messages others may follow, so that the connection never waits for the publisher.
    this.limit = Math.max(batchBytes, 4 * pendingBytes);
    // Not what write() says: at 16 KiB it would stop a publisher once a turn.
    this.full = http2.writableLength >= this.limit;
    // It may be one that nobody reads.
    if (this.full) this.left(0);
  }

  /** Of its writes so much has not left. */
  private left(bytes: number): void {
    const left = Math.min(bytes, this.underWay);
    const gone = this.underWay - left;
    this.underWay = left;
    if (this.epoch === this.flusher.epoch) this.flusher.ended(gone);
  }

  /** There is room again before all is written: the connection is not to run dry. */
  private readonly written = (): void => {
    this.left(this.http2.destroyed ? 0 : this.http2.writableLength);
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
      return { pieces: noPieces, last };
    }
    this.closePiece();
    const pieces = joinSmall(this.pieces!);
    this.pieces = undefined;
    return { pieces, last: pieces.pop()! };
  }

  private schedule(): void {
    if (this.scheduled || this.full) return;
    this.scheduled = true;
    this.flusher.add(this);
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
