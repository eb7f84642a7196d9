import type { ServerDuplexStream, ServerErrorResponse } from '@grpc/grpc-js';
import { MeshError } from '../base/errors.js';
import { DeadlineSweep } from './deadline-sweep.js';
import {
  encodeReplies,
  type LaneReply,
  LaneRequestReader,
  laneBytesHeader,
  laneMessageBytes,
  type TakenRequest,
} from './lane-messages.js';
import { LaneReplyQueue } from './lane-reply-queue.js';
import { fromMetadata, toMetadata } from './metadata.js';
import type { Headers, IncomingCall, WireHandler } from './types.js';

export type LaneStream = ServerDuplexStream<Buffer, Uint8Array>;

export interface RequestLaneServerOptions {
  /** Longest message taken, in bytes. */
  readonly maxMessageBytes: number;
  /** Sent ahead of the replies. */
  readonly headers: Headers;
  readonly statusOf: (error: unknown) => ServerErrorResponse;
}

// How many requests are handled before the replies of those before them leave: both ends then work at the same time.
const requestsPerTurn = 32;
// How many messages with pieces of long replies wait in the stream, and so ahead of a short reply.
const piecesAhead = 2;
// Long replies that may wait before no more requests are taken.
const longBytesLimit = 16 * 1024 * 1024;
const empty = Buffer.alloc(0);

/** The server's end of one request lane: see docs/wire.md. */
export class RequestLaneServer {
  private readonly call: LaneStream;
  private readonly handler: WireHandler;
  private readonly statusOf: (error: unknown) => ServerErrorResponse;
  private readonly headers: Headers;
  private readonly peer: string;
  private readonly deadlines = new DeadlineSweep((nowMs) => this.expire(nowMs));
  /** Requests whose handlers have not answered yet. */
  private readonly pending = new Map<number, LaneCall>();
  private readonly replies = new LaneReplyQueue();
  /** The message being worked through. */
  private reader: LaneRequestReader | undefined;
  /** Whether that message came too late. */
  private refusing = false;
  private flushing = false;
  private full = false;
  private ending = false;
  private over = false;

  constructor(call: LaneStream, handler: WireHandler, options: RequestLaneServerOptions) {
    this.call = call;
    this.handler = handler;
    this.statusOf = options.statusOf;
    this.headers = fromMetadata(call.metadata);
    this.peer = call.getPeer();
    const laneBytes = Math.min(options.maxMessageBytes, laneMessageBytes);
    call.sendMetadata(toMetadata({ ...options.headers, [laneBytesHeader]: String(laneBytes) }));
    call.on('data', (message: Buffer) => {
      this.reader = new LaneRequestReader(message);
      this.refusing = this.ending;
      this.work();
      if (this.reader !== undefined) call.pause();
    });
    call.on('drain', () => {
      this.full = false;
      this.goOn();
    });
    call.on('end', () => this.drain());
    call.on('cancelled', () => this.forget());
  }

  /** Calls `listener` when the lane is over. */
  onOver(listener: () => void): void {
    this.call.once('close', listener);
  }

  /** Takes no more requests, and ends when those under way are answered. */
  drain(): void {
    this.ending = true;
    this.flush();
  }

  /** Ends at once; what was not answered fails with `reason` for its caller. */
  close(reason: MeshError): void {
    if (this.over) return;
    this.flush();
    this.forget();
    this.call.emit('error', this.statusOf(reason));
  }

  /** Whether requests must wait until something has been written. */
  private get stopped(): boolean {
    return this.full || this.over || this.replies.longBytes > longBytesLimit;
  }

  private goOn(): void {
    this.flush();
    this.work();
  }

  /** Handles requests until the message has no more, the caller does not take its replies, or it is time to send. */
  private work(): void {
    const { reader } = this;
    if (reader === undefined || this.stopped) return;
    try {
      for (let count = 0; count < requestsPerTurn; count++) {
        const request = reader.next();
        if (request === undefined) {
          this.reader = undefined;
          if (this.call.isPaused()) this.call.resume();
          this.endWhenDone();
          return;
        }
        this.take(request);
        if (this.stopped) return;
      }
    } catch (error) {
      this.close(new MeshError('invalid-argument', (error as Error).message, { cause: error }));
      return;
    }
    setImmediate(() => this.work());
  }

  private take({ id, request, timeoutMs }: TakenRequest): void {
    const known = this.pending.get(id);
    if (request === undefined) {
      this.pending.delete(id);
      this.replies.drop(id);
      known?.abort();
      return;
    }
    if (known !== undefined) throw new MeshError('invalid-argument', `request ${id} waits for its reply already`);
    if (this.refusing) {
      this.refuse(id, new MeshError('unavailable', 'the server is shutting down'));
      return;
    }
    const call = new LaneCall(this.headers, this.peer);
    let answer: Uint8Array | Promise<Uint8Array>;
    try {
      answer = this.handler.requestReply(request, call);
    } catch (error) {
      this.refuse(id, error);
      return;
    }
    if (answer instanceof Promise) this.await(id, call, answer, timeoutMs);
    else this.reply({ id, reply: answer, code: 0, message: '', more: false });
  }

  private await(id: number, call: LaneCall, answer: Promise<Uint8Array>, timeoutMs: number): void {
    this.pending.set(id, call);
    if (timeoutMs > 0) {
      call.deadlineMs = performance.now() + timeoutMs;
      this.deadlines.add(call.deadlineMs);
    }
    answer.then(
      (reply) => {
        if (this.settle(id, call)) this.reply({ id, reply, code: 0, message: '', more: false });
      },
      (error) => {
        if (this.settle(id, call)) this.refuse(id, error);
      },
    );
  }

  /** Whether the caller still waits. */
  private settle(id: number, call: LaneCall): boolean {
    // Its id may be another request's by now.
    return this.pending.get(id) === call && this.pending.delete(id);
  }

  private refuse(id: number, error: unknown): void {
    const { code, details } = this.statusOf(error);
    this.reply({ id, reply: empty, code: code!, message: details ?? '', more: false });
  }

  private reply(reply: LaneReply): void {
    this.replies.add(reply);
    if (this.replies.shortBytes >= laneMessageBytes) this.flush();
    else if (!this.flushing && !this.full) {
      this.flushing = true;
      // Whatever else is answered in this tick goes out with it.
      process.nextTick(() => this.flush());
    }
  }

  private flush(): void {
    this.flushing = false;
    while (!this.full && !this.over) {
      const batch = this.replies.takeShort();
      const piece = this.call.writableLength < piecesAhead ? this.replies.takePiece() : undefined;
      if (piece !== undefined) batch.push(piece);
      if (batch.length === 0) break;
      // The next piece waits until this one has left; short replies do not.
      const left = piece === undefined ? undefined : () => this.goOn();
      this.full = !this.call.write(encodeReplies(batch), left);
    }
    if (!this.full) this.endWhenDone();
  }

  private endWhenDone(): void {
    if (!this.ending || this.over || this.reader !== undefined || this.pending.size > 0 || !this.replies.empty) return;
    this.over = true;
    this.deadlines.close();
    this.call.end();
  }

  private expire(nowMs: number): number {
    let nextMs = Number.POSITIVE_INFINITY;
    for (const [id, call] of this.pending) {
      if (call.deadlineMs <= nowMs) {
        this.pending.delete(id);
        this.refuse(id, new MeshError('deadline-exceeded', 'the deadline passed before the request was answered'));
        call.abort();
      } else if (call.deadlineMs < nextMs) nextMs = call.deadlineMs;
    }
    return nextMs;
  }

  /** The caller is gone: its handlers hear of it, and nothing more is written. */
  private forget(): void {
    this.over = true;
    this.deadlines.close();
    this.reader = undefined;
    this.replies.clear();
    const calls = [...this.pending.values()];
    this.pending.clear();
    for (const call of calls) call.abort();
  }
}

/** A request of a lane, as its service sees it. Most handlers never look at the signal. */
class LaneCall implements IncomingCall {
  readonly headers: Headers;
  readonly peer: string;
  /** In `performance.now` time. */
  deadlineMs = Number.POSITIVE_INFINITY;
  private controller: AbortController | undefined;
  private aborted = false;

  constructor(headers: Headers, peer: string) {
    this.headers = headers;
    this.peer = peer;
  }

  get signal(): AbortSignal {
    if (this.controller === undefined) {
      this.controller = new AbortController();
      if (this.aborted) this.controller.abort();
    }
    return this.controller.signal;
  }

  abort(): void {
    this.aborted = true;
    this.controller?.abort();
  }
}
