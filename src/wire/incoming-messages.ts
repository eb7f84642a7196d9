import { MeshError } from '../base/errors.js';
import { frameStarts } from './frames.js';
import type { Headers, IncomingStream, MessageBlock } from './types.js';

type Take = (blocks: readonly MessageBlock[]) => void | Promise<void>;

// What may lie unread before the sender is stopped.
const highWaterBytes = 256 * 1024;

/** The messages of a call between the connection that brings them and the program that takes them. */
export class IncomingMessages implements IncomingStream {
  readonly headers: Promise<Headers>;
  private resolveHeaders!: (headers: Headers) => void;
  private rejectHeaders!: (error: MeshError) => void;
  private take: Take | undefined;
  private done: { readonly resolve: () => void; readonly reject: (error: unknown) => void } | undefined;
  /** What was given is not taken yet. */
  private busy = false;
  private ready: MessageBlock[] | undefined;
  private readyBytes = 0;
  private finished: { readonly error: MeshError | undefined } | undefined;
  private room: () => void = () => undefined;
  private endListeners: (() => void)[] = [];
  private readonly keepLast: boolean;

  constructor({ keepLast }: { readonly keepLast: boolean }) {
    this.keepLast = keepLast;
    this.headers = new Promise((resolve, reject) => {
      this.resolveHeaders = resolve;
      this.rejectHeaders = reject;
    });
    // Whoever takes messages sees the same failure; a reader that ignores the headers must not crash the process.
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
  push(arrived: MessageBlock[], bytes: number): boolean {
    // What is on its way when a call is given up still arrives.
    if (this.finished !== undefined) return true;
    const blocks = this.keepLast ? [newest(arrived)] : arrived;
    if (this.take !== undefined && !this.busy && this.ready === undefined) {
      this.give(blocks);
      return true;
    }
    if (this.keepLast) {
      this.ready = [newest(this.ready === undefined ? blocks : [...this.ready, ...blocks])];
      return true;
    }
    if (this.ready === undefined) this.ready = blocks;
    else this.ready.push(...blocks);
    this.readyBytes += bytes;
    return this.readyBytes < highWaterBytes;
  }

  /** The call ended: what came before is still taken. */
  end(error: MeshError | undefined): void {
    if (this.finished !== undefined) return;
    this.finished = { error };
    if (error !== undefined) this.rejectHeaders(error);
    else this.resolveHeaders({});
    const listeners = this.endListeners;
    this.endListeners = [];
    for (const listener of listeners) listener();
    this.goOn();
  }

  /** The call is given up: what was not taken is thrown away. */
  fail(error: MeshError): void {
    if (this.finished !== undefined) return;
    this.ready = undefined;
    this.end(error);
  }

  onRoom(listener: () => void): void {
    this.room = listener;
  }

  onEnd(listener: () => void): void {
    if (this.ended) listener();
    else this.endListeners.push(listener);
  }

  receive(take: Take): Promise<void> {
    if (this.take !== undefined) throw new MeshError('internal', 'the messages of a call are taken already');
    return new Promise((resolve, reject) => {
      this.done = { resolve, reject };
      this.take = take;
      this.goOn();
    });
  }

  private give(blocks: readonly MessageBlock[]): void {
    try {
      const taken = this.take!(blocks);
      if (taken === undefined) return;
      this.busy = true;
      taken.then(
        () => {
          this.busy = false;
          this.goOn();
        },
        (error) => this.broke(error),
      );
    } catch (error) {
      this.broke(error);
    }
  }

  /** Gives what lay ready, then the end. */
  private goOn(): void {
    while (this.take !== undefined && !this.busy && this.ready !== undefined) {
      const blocks = this.ready;
      const wasFull = this.readyBytes >= highWaterBytes;
      this.ready = undefined;
      this.readyBytes = 0;
      if (wasFull) this.room();
      this.give(blocks);
    }
    if (this.finished === undefined || this.busy || this.ready !== undefined) return;
    const { error } = this.finished;
    if (error === undefined) this.done?.resolve();
    else this.done?.reject(error);
  }

  /** Whoever takes the messages failed. */
  private broke(error: unknown): void {
    this.ready = undefined;
    this.done?.reject(error);
    this.end(undefined);
  }
}

/** The last message; nobody gets those before it. */
function newest(blocks: readonly MessageBlock[]): MessageBlock {
  for (const { memory } of blocks.slice(0, -1)) memory.release();
  const { bytes, start, end, memory } = blocks.at(-1)!;
  return { bytes, start: frameStarts(bytes, start, end).at(-2)!, end, count: 1, memory };
}
