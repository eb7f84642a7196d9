import type { MeshError } from '../base/errors.js';
import type { Headers, IncomingStream, MessageBlock } from './types.js';

// What may lie unread before the sender is stopped.
const highWaterBytes = 256 * 1024;

/** The messages of a call between the connection that brings them and the program that iterates them. */
export class IncomingMessages implements IncomingStream {
  readonly headers: Promise<Headers>;
  private resolveHeaders!: (headers: Headers) => void;
  private rejectHeaders!: (error: MeshError) => void;
  private ready: MessageBlock[] = [];
  private readyBytes = 0;
  private finished: { error: MeshError | undefined } | undefined;
  private wake: (() => void) | undefined;
  private room: () => void = () => undefined;
  private endListeners: (() => void)[] = [];
  private readonly keepLast: boolean;

  constructor({ keepLast }: { readonly keepLast: boolean }) {
    this.keepLast = keepLast;
    this.headers = new Promise((resolve, reject) => {
      this.resolveHeaders = resolve;
      this.rejectHeaders = reject;
    });
    // Whoever iterates sees the same failure; a reader that ignores the headers must not crash the process.
    this.headers.catch(() => undefined);
  }

  get ended(): boolean {
    return this.finished !== undefined;
  }

  /** Aborts when the call has ended, whichever side ended it. */
  get endSignal(): AbortSignal {
    const controller = new AbortController();
    this.onEnd(() => controller.abort());
    return controller.signal;
  }

  begin(headers: Headers): void {
    this.resolveHeaders(headers);
  }

  /** Takes messages that came in `bytes` of the stream. False: enough, stop the sender until `onRoom`. */
  push(blocks: MessageBlock[], bytes: number): boolean {
    // What is on its way when a call is given up still arrives.
    if (this.finished !== undefined) return true;
    if (this.keepLast) {
      const { bytes: memory, bounds } = blocks.at(-1)!;
      this.ready = [{ bytes: memory, bounds: bounds.slice(-2) }];
      this.wake?.();
      return true;
    }
    if (this.ready.length === 0) this.ready = blocks;
    else this.ready.push(...blocks);
    this.readyBytes += bytes;
    this.wake?.();
    return this.readyBytes < highWaterBytes;
  }

  /** The call ended: what came before is still read. */
  end(error: MeshError | undefined): void {
    if (this.finished !== undefined) return;
    this.finished = { error };
    if (error !== undefined) this.rejectHeaders(error);
    else this.resolveHeaders({});
    const listeners = this.endListeners;
    this.endListeners = [];
    for (const listener of listeners) listener();
    this.wake?.();
  }

  /** The call is given up: what was not read is thrown away. */
  fail(error: MeshError): void {
    if (this.finished !== undefined) return;
    this.ready = [];
    this.end(error);
  }

  onRoom(listener: () => void): void {
    this.room = listener;
  }

  onEnd(listener: () => void): void {
    if (this.ended) listener();
    else this.endListeners.push(listener);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<readonly MessageBlock[]> {
    try {
      while (true) {
        if (this.ready.length > 0) {
          const blocks = this.ready;
          const wasFull = this.readyBytes >= highWaterBytes;
          this.ready = [];
          this.readyBytes = 0;
          if (wasFull) this.room();
          yield blocks;
        } else if (this.finished !== undefined) {
          if (this.finished.error !== undefined) throw this.finished.error;
          return;
        } else {
          await new Promise<void>((resolve) => {
            this.wake = resolve;
          });
          this.wake = undefined;
        }
      }
    } finally {
      this.end(undefined);
    }
  }
}
