import { MeshError } from '../base/errors.js';
import { type Memory, OwnMemory } from '../http2/memory.js';
import { frameEnd, framePrefixBytes, isCompressed } from './frames.js';
import { MessageMemory } from './message-memory.js';
import type { StreamPieces } from './stream-pieces.js';
import type { FindKnown, KnownFrames, MessageBlock } from './types.js';

// Less than this is cheap to allocate, and would keep memory for nothing.
const largeBytes = 32 * 1024;

/**
 * Takes the frames out of a gRPC stream, however its bytes were cut on the way. Frames that lie in one piece are given
 * where they lie; only one that was cut is put together in memory of its own. See `frames.ts`.
 */
export class FrameReader {
  private readonly maxMessageBytes: number;
  private readonly memory = new MessageMemory();
  /** The prefix of a frame, when that did not come whole. */
  private prefix: Buffer | undefined;
  /** Where the frame that was cut is put together, and its length, once that is known. */
  private frame: Memory | undefined;
  private frameBytes = 0;
  /** Bytes of it that have come. */
  private held = 0;

  constructor(maxMessageBytes: number) {
    this.maxMessageBytes = maxMessageBytes;
  }

  /** Whether the bytes so far end between two messages. */
  get atBoundary(): boolean {
    return this.held === 0;
  }

  /**
   * Adds the frames that the bytes from `start` to `end` complete to `blocks`; holds the memory where some lie in it.
   * Errors: `resource-exhausted` for a message over the limit, `internal` for a compressed one, which nobody asked for.
   */
  read(memory: Memory, start: number, end: number, blocks: MessageBlock[]): void {
    const { bytes } = memory;
    const first = this.held > 0 ? this.complete(bytes, start, end, blocks) : start;
    let at = first;
    let count = 0;
    while (end - at >= framePrefixBytes) {
      const next = this.endOf(bytes, at);
      if (next > end) break;
      at = next;
      count++;
    }
    if (at < end) this.begin(bytes, at, end);
    if (count === 0) return;
    memory.hold();
    blocks.push({ bytes, start: first, end: at, count, memory });
  }

  /**
   * As `read`, for pieces that follow each other. What is known already, byte for byte, is looked at no further, however
   * it was cut: its blocks are those of what is known, and nothing of the pieces is held for them.
   */
  readAll(pieces: StreamPieces, findKnown: FindKnown | undefined, blocks: MessageBlock[]): void {
    let count = 0;
    while (findKnown !== undefined && !pieces.isTaken) {
      const known = findKnown(count);
      const block = known && this.takeKnown(pieces, known, blocks);
      if (block === undefined) break;
      count += block.count;
    }
    pieces.takeEach((memory, start, end) => this.read(memory, start, end, blocks));
  }

  /** Takes what is known of pieces; gives the frames that end with it, which it adds to `blocks`. */
  private takeKnown(pieces: StreamPieces, known: KnownFrames, blocks: MessageBlock[]): MessageBlock | undefined {
    const { bytes, start, end } = known;
    const { held } = this;
    const begun = held < framePrefixBytes ? this.prefix : this.frame?.bytes;
    const from = start + held;
    if (from >= end || (held > 0 && begun!.compare(bytes, start, from, 0, held) !== 0)) return undefined;
    const at = pieces.takeLike(bytes, from, end);
    if (at === from) return undefined;
    const block = known.blockTo(at);
    if (block === undefined) {
      this.read(new OwnMemory(bytes), from, at, blocks);
      return undefined;
    }
    this.giveUpFrame();
    blocks.push(block);
    if (at > block.end) this.begin(bytes, block.end, at);
    return block;
  }

  private giveUpFrame(): void {
    // Held by nobody, and to be used again.
    this.frame?.hold();
    this.frame?.release();
    this.frame = undefined;
    this.held = 0;
  }

  /** Adds to the frame begun; gives where it ends. */
  private complete(bytes: Buffer, start: number, end: number, blocks: MessageBlock[]): number {
    let at = start;
    if (this.frame === undefined) {
      const prefix = this.prefix!;
      at += bytes.copy(prefix, this.held, at, Math.min(end, at + framePrefixBytes - this.held));
      this.held += at - start;
      if (this.held < framePrefixBytes) return at;
      prefix.copy(this.room(this.endOf(prefix, 0)).bytes);
    }
    const frame = this.frame!;
    const copied = bytes.copy(frame.bytes, this.held, at, Math.min(end, at + this.frameBytes - this.held));
    this.held += copied;
    at += copied;
    if (this.held === this.frameBytes) {
      frame.hold();
      blocks.push({ bytes: frame.bytes, start: 0, end: this.frameBytes, count: 1, memory: frame });
      this.frame = undefined;
      this.held = 0;
    }
    return at;
  }

  /** Keeps what stands from `at` on: less than a frame. */
  private begin(bytes: Buffer, at: number, end: number): void {
    this.held = end - at;
    if (this.held < framePrefixBytes) {
      this.prefix ??= Buffer.allocUnsafe(framePrefixBytes);
      bytes.copy(this.prefix, 0, at, end);
    } else bytes.copy(this.room(this.endOf(bytes, at) - at).bytes, 0, at, end);
  }

  private room(length: number): Memory {
    this.frameBytes = length;
    this.frame = length < largeBytes ? new OwnMemory(Buffer.allocUnsafe(length)) : this.memory.take(length);
    return this.frame;
  }

  private endOf(bytes: Buffer, at: number): number {
    if (isCompressed(bytes, at)) {
      throw new MeshError('internal', 'a compressed message came, though this client takes none');
    }
    const end = frameEnd(bytes, at);
    const length = end - at - framePrefixBytes;
    if (length > this.maxMessageBytes) {
      throw new MeshError(
        'resource-exhausted',
        `a message of ${length} bytes came; the limit is ${this.maxMessageBytes} (maxMessageBytes)`,
      );
    }
    return end;
  }
}
