import { errorCodes, frameTypes, numbersFrame } from './frames.js';
import type { HeaderFields } from './header-decoder.js';
import type { Memory } from './memory.js';

/** What hears of a stream. Nothing is called after `closed`. What it throws ends the connection. */
export interface StreamListener {
  /** The head of the response. */
  headers(fields: HeaderFields): void;
  /** A piece of the body stands in `memory` from `start` to `end`. */
  data(memory: Memory, start: number, end: number): void;
  /** All pieces that came together were given. */
  settled?(): void;
  trailers(fields: HeaderFields): void;
  /** The other end has said everything; the stream lives on while this end has not. */
  ended?(): void;
  /** There is room again, after `write` had said that there is none. */
  drained?(): void;
  /** Once. `code` is `noError` after a regular end, else what reset the stream; undefined: the connection is gone. */
  closed(code: number | undefined): void;
}

/** What a stream asks of its connection. */
export interface StreamOwner {
  /** The stream has something to send. */
  wake(stream: ClientStream): void;
  control(frame: Buffer): void;
  /** The stream is over. */
  forget(stream: ClientStream): void;
}

// What may wait for the other end's permission before `write` says that it is enough.
const highWaterBytes = 64 * 1024;

/** One request and its response. The first half of the members is for programs, the second for its connection. */
export class ClientStream {
  private readonly owner: StreamOwner;
  private readonly listener: StreamListener;
  private readonly windowBytes: number;
  /** What the other end may still send. */
  private receiveWindow: number;
  /** What was taken, and may be sent anew. */
  private credit = 0;
  private paused = false;
  private outgoing: Buffer[] = [];
  private outgoingBytes = 0;
  private isFull = false;
  private localEnded = false;
  private localEndSent = false;
  private remoteEnded = false;
  private hasHeaders = false;
  private isClosed = false;
  /** 0 until it was sent. */
  id = 0;
  /** What may still be sent; below zero when the other end has changed its mind. */
  sendWindow = 0;

  constructor(owner: StreamOwner, listener: StreamListener, windowBytes: number) {
    this.owner = owner;
    this.listener = listener;
    this.windowBytes = windowBytes;
    this.receiveWindow = windowBytes;
  }

  get closed(): boolean {
    return this.isClosed;
  }

  /** Nothing more can be written. */
  get writableEnded(): boolean {
    return this.localEnded || this.isClosed;
  }

  /** Sends bytes. False: enough, wait for `drained`. */
  write(bytes: Buffer): boolean {
    if (this.writableEnded) return true;
    // An empty piece would wait for a window that it does not need.
    if (bytes.length === 0) return !this.isFull;
    this.outgoing.push(bytes);
    this.outgoingBytes += bytes.length;
    this.owner.wake(this);
    this.isFull = this.outgoingBytes > highWaterBytes;
    return !this.isFull;
  }

  /** Says that nothing more comes from this end, after `bytes` if there are some. */
  end(bytes?: Buffer): void {
    if (this.writableEnded) return;
    if (bytes !== undefined) this.write(bytes);
    this.localEnded = true;
    this.owner.wake(this);
  }

  /** Gives the stream up; the other end is told the code. */
  close(code: number): void {
    if (this.isClosed) return;
    if (this.id > 0) this.owner.control(numbersFrame(frameTypes.rstStream, this.id, code));
    this.finish(code);
  }

  /** Stops the other end once it has sent what it may by now. */
  pause(): void {
    this.paused = true;
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    this.giveCredit();
  }

  /** Whether something can go out now. */
  get wantsToSend(): boolean {
    if (this.id === 0) return false;
    if (this.hasBody) return this.sendWindow > 0;
    return this.localEnded && !this.localEndSent;
  }

  /** Whether there is more to send than the end. */
  get hasBody(): boolean {
    return this.outgoing.length > 0;
  }

  /** At most `limit` bytes of what waits; `isLast` is to be said with them. */
  take(limit: number): { readonly bytes: Buffer | undefined; readonly isLast: boolean } {
    const first = this.outgoing[0];
    const bytes = first === undefined || first.length <= limit ? first : first.subarray(0, limit);
    if (bytes === first) this.outgoing.shift();
    else this.outgoing[0] = first!.subarray(limit);
    const length = bytes?.length ?? 0;
    this.outgoingBytes -= length;
    this.sendWindow -= length;
    const isLast = this.localEnded && this.outgoing.length === 0;
    if (isLast) this.localEndSent = true;
    return { bytes, isLast };
  }

  /** After `take`: what follows from it for whoever writes. */
  sent(): void {
    if (this.localEndSent && this.remoteEnded) this.finish(errorCodes.noError);
    if (this.isClosed || !this.isFull || this.outgoingBytes > 0) return;
    this.isFull = false;
    this.listener.drained?.();
  }

  receive(memory: Memory, start: number, end: number): void {
    if (!this.takesBody()) return;
    this.receivePadding(end - start);
    if (!this.isClosed) this.listener.data(memory, start, end);
  }

  receivePadding(bytes: number): void {
    this.receiveWindow -= bytes;
    this.credit += bytes;
    if (this.receiveWindow < 0) this.close(errorCodes.flowControlError);
  }

  receiveHeaders(fields: HeaderFields, isEnd: boolean): void {
    if (this.isClosed) return;
    if (this.remoteEnded) {
      this.close(errorCodes.streamClosed);
      return;
    }
    const status = fields[':status'];
    const isInformational = !this.hasHeaders && status?.startsWith('1') === true;
    if (isInformational && !isEnd) return;
    // Trailers are the last word, and a head has a status that is an answer.
    if (isInformational || (this.hasHeaders ? !isEnd : status === undefined)) {
      this.close(errorCodes.protocolError);
      return;
    }
    if (this.hasHeaders) this.listener.trailers(fields);
    else {
      this.hasHeaders = true;
      this.listener.headers(fields);
    }
    if (isEnd) this.receiveEnd();
  }

  receiveEnd(): void {
    if (this.isClosed || !this.takesBody()) return;
    this.remoteEnded = true;
    if (this.localEndSent) this.finish(errorCodes.noError);
    else this.listener.ended?.();
  }

  /** Everything that came together was received. */
  settle(): void {
    if (this.isClosed) return;
    this.listener.settled?.();
    this.giveCredit();
  }

  /** The other end gave it up. */
  reset(code: number): void {
    this.settle();
    this.finish(code);
  }

  /** It is over without a word from this end. */
  finish(code: number | undefined): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.outgoing = [];
    this.owner.forget(this);
    this.listener.closed(code);
  }

  /** Whether the body may go on; a stream whose body may not is given up. */
  private takesBody(): boolean {
    if (this.hasHeaders && !this.remoteEnded) return true;
    this.close(this.remoteEnded ? errorCodes.streamClosed : errorCodes.protocolError);
    return false;
  }

  private giveCredit(): void {
    if (this.paused || this.isClosed || this.remoteEnded || this.credit < this.windowBytes / 4) return;
    this.owner.control(numbersFrame(frameTypes.windowUpdate, this.id, this.credit));
    this.receiveWindow += this.credit;
    this.credit = 0;
  }
}
