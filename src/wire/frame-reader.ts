import { MeshError } from '../base/errors.js';
import { type Memory, OwnMemory } from '../http2/memory.js';
import { framePrefixBytes } from './frames.js';
import { MessageMemory } from './message-memory.js';
import type { MessageBlock } from './types.js';

// Less than this is cheap to allocate, and would keep memory for nothing.
const largeBytes = 32 * 1024;

/**
 * Takes the messages out of a gRPC stream, however its bytes were cut on the way. Messages that lie in one piece are
 * given where they lie; only one that was cut is put together in memory of its own. Frames: see `frames.ts`.
 */
export class FrameReader {
  private readonly maxMessageBytes: number;
  private readonly memory = new MessageMemory();
  /** The prefix of a frame that has not come whole; then `frame` is empty. */
  private readonly prefix = Buffer.alloc(framePrefixBytes);
  /** Where the message of that frame is put together, and its length, once that is known. */
  private frame: Memory | undefined;
  private frameBytes = 0;
  /** Bytes of the frame that have come, its prefix included. */
  private held = 0;

  constructor(maxMessageBytes: number) {
    this.maxMessageBytes = maxMessageBytes;
  }

  /** Whether the bytes so far end between two messages. */
  get atBoundary(): boolean {
    return this.held === 0;
  }

  /**
   * Adds the messages that the bytes from `start` to `end` complete to `blocks`; holds the memory where some lie in it.
   * Errors: `resource-exhausted` for a message over the limit, `internal` for a compressed one, which nobody asked for.
   */
  read(memory: Memory, start: number, end: number, blocks: MessageBlock[]): void {
    const { bytes } = memory;
    let at = this.held > 0 ? this.complete(bytes, start, end, blocks) : start;
    const bounds: number[] = [];
    while (end - at >= framePrefixBytes) {
      const next = at + framePrefixBytes + this.messageLength(bytes, at);
      if (next > end) break;
      bounds.push(at + framePrefixBytes, next);
      at = next;
    }
    if (at < end) this.begin(bytes, at, end);
    if (bounds.length === 0) return;
    memory.hold();
    blocks.push({ bytes, bounds, memory });
  }

  /** Adds to the frame begun; gives where it ends. */
  private complete(bytes: Buffer, start: number, end: number, blocks: MessageBlock[]): number {
    let at = start;
    if (this.frame === undefined) {
      const copied = bytes.copy(this.prefix, this.held, at, Math.min(end, at + framePrefixBytes - this.held));
      this.held += copied;
      at += copied;
      if (this.held < framePrefixBytes) return at;
      this.frame = this.room(this.messageLength(this.prefix, 0));
    }
    const { frame, frameBytes } = this;
    const filled = this.held - framePrefixBytes;
    const copied = bytes.copy(frame.bytes, filled, at, Math.min(end, at + frameBytes - filled));
    this.held += copied;
    at += copied;
    if (this.held === framePrefixBytes + frameBytes) {
      frame.hold();
      blocks.push({ bytes: frame.bytes, bounds: [0, frameBytes], memory: frame });
      this.frame = undefined;
      this.held = 0;
    }
    return at;
  }

  /** Keeps what stands from `at` on: less than a frame. */
  private begin(bytes: Buffer, at: number, end: number): void {
    this.held = end - at;
    if (this.held < framePrefixBytes) {
      bytes.copy(this.prefix, 0, at, end);
      return;
    }
    this.frame = this.room(this.messageLength(bytes, at));
    bytes.copy(this.frame.bytes, 0, at + framePrefixBytes, end);
  }

  private room(length: number): Memory {
    this.frameBytes = length;
    return length < largeBytes ? new OwnMemory(Buffer.allocUnsafe(length)) : this.memory.take(length);
  }

  private messageLength(bytes: Buffer, at: number): number {
    if (bytes[at] !== 0) {
      throw new MeshError('internal', 'a compressed message came, though this client takes none');
    }
    const length = bytes.readUInt32BE(at + 1);
    if (length > this.maxMessageBytes) {
      throw new MeshError(
        'resource-exhausted',
        `a message of ${length} bytes came; the limit is ${this.maxMessageBytes} (maxMessageBytes)`,
      );
    }
    return length;
  }
}
