import { MeshError } from '../base/errors.js';
import type { ClientConnection } from '../http2/client-connection.js';
import type { ClientStream } from '../http2/client-stream.js';
import { errorCodes } from '../http2/frames.js';
import type { HeaderFields } from '../http2/header-decoder.js';
import type { Memory } from '../http2/memory.js';
import { DeadlineSweep } from './deadline-sweep.js';
import { FrameReader } from './frame-reader.js';
import { forEachMessage, framePrefix } from './frames.js';
import { notGrpc, requestHeaders, trailersError, versionHeader } from './http2-headers.js';
import {
  encodeRequests,
  type LaneReply,
  type LaneRequest,
  laneBytesHeader,
  laneMessageBytes,
  laneOverheadBytes,
  lanePath,
  readReplies,
} from './lane-messages.js';
import { refusalOf } from './status.js';
import type { CallOptions, Headers, MessageBlock } from './types.js';

// What may wait on a lane; a program that asks for more without waiting for replies gets a call for each.
const maxPending = 10_000;
// Several of the longest messages that a lane's server makes.
const maxReplyMessageBytes = 4 * laneMessageBytes;

export interface RequestLaneOptions {
  /** `host:port`, for messages. */
  readonly address: string;
  readonly scheme: string;
  /** Longest reply taken, in bytes. */
  readonly maxMessageBytes: number;
  /** Sent with the call. */
  readonly headers: Headers;
}

interface Pending {
  readonly id: number;
  readonly options: CallOptions;
  /** In `performance.now` time; infinite without one. */
  readonly deadlineMs: number;
  readonly resolve: (reply: Buffer) => void;
  readonly reject: (error: MeshError) => void;
  /** Undefined once it was sent. */
  request: Uint8Array | undefined;
  cancel: (() => void) | undefined;
  /** The pieces of a long reply so far. */
  pieces: Buffer[] | undefined;
  pieceBytes: number;
}

/**
 * The client's end of a request lane (see docs/wire.md): opened to find out whether the server has one, and used from
 * the moment that its headers say so. It lives as long as its session at most. However it ends, each request that
 * waits is settled, once, with `unavailable`.
 */
export class RequestLaneClient {
  readonly session: ClientConnection;
  private readonly options: RequestLaneOptions;
  private readonly call: ClientStream;
  private readonly reader = new FrameReader(maxReplyMessageBytes);
  private readonly deadlines = new DeadlineSweep((nowMs) => this.expire(nowMs));
  private readonly pending = new Map<number, Pending>();
  private waiting: (Pending | LaneRequest)[] = [];
  private state: 'asking' | 'open' | 'leaving' | 'over' = 'asking';
  private refused = false;
  private trailers: MeshError | undefined;
  private peerVersion: string | undefined;
  private messageBytes = 0;
  private lastId = 0;
  private flushing = false;
  private full = false;

  /** Asks for the lane. */
  constructor(session: ClientConnection, options: RequestLaneOptions) {
    this.session = session;
    this.options = options;
    const { address, scheme, headers } = options;
    this.call = session.request(requestHeaders(address, scheme, lanePath, headers, undefined), {
      headers: (fields) => this.begin(fields),
      data: (memory, start, end) => this.read(memory, start, end),
      trailers: (fields) => this.heardTrailers(fields),
      drained: () => {
        this.full = false;
        this.flush();
      },
      ended: () => this.finish(),
      closed: () => this.finish(),
    });
  }

  /** Whether it takes this request now. */
  takes(request: Uint8Array): boolean {
    const fits = request.length + laneOverheadBytes <= this.messageBytes;
    return this.state === 'open' && fits && this.pending.size < maxPending;
  }

  /** Whether it is worth asking this session's server again. */
  get canBeAskedAgain(): boolean {
    return this.state === 'over' && !this.refused;
  }

  /** Errors: as those of a call of its own. */
  request(request: Uint8Array, options: CallOptions): Promise<Buffer> {
    const { signal, timeoutMs } = options;
    if (signal?.aborted) return Promise.reject(this.cancelled());
    return new Promise((resolve, reject) => {
      const id = ++this.lastId;
      const deadlineMs = timeoutMs === undefined ? Number.POSITIVE_INFINITY : performance.now() + timeoutMs;
      const pending: Pending = {
        id,
        options,
        deadlineMs,
        resolve,
        reject,
        request,
        cancel: undefined,
        pieces: undefined,
        pieceBytes: 0,
      };
      if (signal !== undefined) {
        pending.cancel = () => this.giveUp(pending, this.cancelled());
        signal.addEventListener('abort', pending.cancel, { once: true });
      }
      if (timeoutMs !== undefined) this.deadlines.add(deadlineMs);
      this.pending.set(id, pending);
      this.send(pending);
    });
  }

  /** Takes no more requests, and ends when the last has its reply. */
  leave(): void {
    if (this.state === 'over') return;
    this.state = 'leaving';
    this.endWhenDone();
  }

  private begin(headers: HeaderFields): void {
    const limit = Number(headers[laneBytesHeader]);
    if (headers['grpc-status'] !== undefined) this.heardTrailers(headers);
    if (notGrpc(headers, this.options.address) !== undefined || !Number.isSafeInteger(limit) || limit <= 0) {
      // A server that lacks the method, or that is none of ours.
      this.refused = this.trailers?.code !== 'unavailable';
      this.finish();
      return;
    }
    this.peerVersion = headers[versionHeader];
    this.messageBytes = Math.min(limit, laneMessageBytes);
    if (this.state === 'asking') this.state = 'open';
  }

  private heardTrailers(headers: HeaderFields): void {
    this.trailers = trailersError(headers, this.options.address);
    // A lane that fails by itself would fail the next requests, too.
    this.refused = this.trailers !== undefined && this.trailers.code !== 'unavailable';
  }

  private send(item: Pending | LaneRequest): void {
    this.waiting.push(item);
    if (this.flushing || this.full) return;
    this.flushing = true;
    // Whatever else is asked in this tick goes out with it.
    process.nextTick(() => this.flush());
  }

  private flush(): void {
    this.flushing = false;
    const nowMs = performance.now();
    let taken = 0;
    while (!this.full && taken < this.waiting.length && this.state !== 'over') {
      const batch: LaneRequest[] = [];
      let bytes = 0;
      for (; taken < this.waiting.length; taken++) {
        const item = this.waiting[taken]!;
        if ('resolve' in item) {
          // Given up before it was sent.
          if (!this.pending.has(item.id)) continue;
          bytes += item.request!.length + laneOverheadBytes;
          if (bytes > this.messageBytes && batch.length > 0) break;
          batch.push({ id: item.id, request: item.request, timeoutMs: timeLeft(item.deadlineMs, nowMs) });
          item.request = undefined;
        } else {
          bytes += laneOverheadBytes;
          if (bytes > this.messageBytes && batch.length > 0) break;
          batch.push(item);
        }
      }
      if (batch.length === 0) break;
      const message = encodeRequests(batch);
      this.full = !this.call.write(Buffer.concat([framePrefix(message.length), message]));
    }
    this.waiting = taken >= this.waiting.length ? [] : this.waiting.slice(taken);
    if (this.state === 'leaving') this.endWhenDone();
  }

  private read(memory: Memory, start: number, end: number): void {
    if (this.state === 'over') return;
    try {
      const blocks: MessageBlock[] = [];
      this.reader.read(memory, start, end, blocks);
      const read = (message: Buffer): void => readReplies(message, (reply) => this.take(reply));
      for (const block of blocks) forEachMessage(block, read);
    } catch (error) {
      this.refused = true;
      this.trailers = MeshError.from(error);
      this.finish();
    }
    if (this.state === 'leaving') this.endWhenDone();
  }

  private take(laneReply: LaneReply & { readonly reply: Buffer }): void {
    const { id, code, message, more } = laneReply;
    const pending = this.pending.get(id);
    // One that was given up may still be answered.
    if (pending === undefined) return;
    if (code !== 0) {
      const { address } = this.options;
      this.settle(pending);
      pending.reject(refusalOf(code, message, address, this.peerVersion, pending.options.headers?.[versionHeader]));
      return;
    }
    pending.pieceBytes += laneReply.reply.length;
    if (pending.pieceBytes > this.options.maxMessageBytes) {
      const what = `a message of ${more ? 'more than ' : ''}${pending.pieceBytes} bytes came; the limit is ${this.options.maxMessageBytes} (maxMessageBytes)`;
      this.giveUp(pending, new MeshError('resource-exhausted', what));
      return;
    }
    if (more || pending.pieces !== undefined) {
      pending.pieces ??= [];
      pending.pieces.push(laneReply.reply);
      if (more) return;
    }
    this.settle(pending);
    pending.resolve(pending.pieces === undefined ? laneReply.reply : Buffer.concat(pending.pieces, pending.pieceBytes));
  }

  private expire(nowMs: number): number {
    let nextMs = Number.POSITIVE_INFINITY;
    for (const pending of this.pending.values()) {
      if (pending.deadlineMs <= nowMs) {
        const what = `${this.options.address} did not answer requestReply within ${pending.options.timeoutMs} ms`;
        this.giveUp(pending, new MeshError('deadline-exceeded', what));
      } else if (pending.deadlineMs < nextMs) nextMs = pending.deadlineMs;
    }
    return nextMs;
  }

  /** Ends a request from this side; its handler hears of it if it was sent. */
  private giveUp(pending: Pending, reason: MeshError): void {
    if (!this.pending.has(pending.id)) return;
    const wasSent = pending.request === undefined;
    this.settle(pending);
    if (wasSent && this.state !== 'over') this.send({ id: pending.id, request: undefined, timeoutMs: 0 });
    pending.reject(reason);
    if (this.state === 'leaving') this.endWhenDone();
  }

  private settle(pending: Pending): void {
    this.pending.delete(pending.id);
    if (pending.cancel !== undefined) pending.options.signal!.removeEventListener('abort', pending.cancel);
  }

  private endWhenDone(): void {
    if (this.pending.size === 0 && this.waiting.length === 0 && !this.call.writableEnded) this.call.end();
  }

  private finish(): void {
    if (this.state === 'over') return;
    this.state = 'over';
    this.deadlines.close();
    this.waiting = [];
    // What the server does not read any more must not keep the call open.
    this.call.close(errorCodes.cancel);
    if (this.pending.size === 0) return;
    const { address } = this.options;
    const what = this.session.closed
      ? `the connection to ${address} was lost`
      : `${address} ended the request lane before it answered`;
    const why = this.trailers === undefined ? '' : `: ${this.trailers.message}`;
    const lost = new MeshError('unavailable', `${what}${why}`);
    for (const pending of [...this.pending.values()]) {
      this.settle(pending);
      pending.reject(lost);
    }
  }

  private cancelled(): MeshError {
    return new MeshError('cancelled', `requestReply of ${this.options.address} was cancelled`);
  }
}

function timeLeft(deadlineMs: number, nowMs: number): number {
  return deadlineMs === Number.POSITIVE_INFINITY ? 0 : Math.min(0xffffffff, Math.max(1, Math.ceil(deadlineMs - nowMs)));
}
