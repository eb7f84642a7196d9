import { MeshError } from '../base/errors.js';
import { framePrefixBytes } from './frames.js';
import type { MessageBlock } from './types.js';

/**
 * Takes the messages out of a gRPC stream, however its bytes were cut on the way. Messages that lie in one piece are
 * given where they lie; only one that was cut is put together in memory of its own. Frames: see `frames.ts`.
 */
export class FrameReader {
  private readonly maxMessageBytes: number;
  /** The prefix of a frame that has not come whole; then `frame` is empty. */
  private readonly prefix = Buffer.alloc(framePrefixBytes);
  /** The message of that frame, once its length is known. */
  private frame: Buffer | undefined;
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
   * Adds the messages that `chunk` completes to `blocks`.
   * Errors: `resource-exhausted` for a message over the limit, `internal` for a compressed one, which nobody asked for.
   */
  read(chunk: Buffer, blocks: MessageBlock[]): void {
    let at = this.held > 0 ? this.complete(chunk, blocks) : 0;
    const bounds: number[] = [];
    while (chunk.length - at >= framePrefixBytes) {
      const end = at + framePrefixBytes + this.messageLength(chunk, at);
      if (end > chunk.length) break;
      bounds.push(at + framePrefixBytes, end);
      at = end;
    }
    if (bounds.length > 0) blocks.push({ bytes: chunk, bounds });
    if (at < chunk.length) this.begin(chunk, at);
  }

  /** Adds to the frame begun; gives where in `chunk` it ends. */
  private complete(chunk: Buffer, blocks: MessageBlock[]): number {
    let at = 0;
    if (this.frame === undefined) {
      at = chunk.copy(this.prefix, this.held, 0, framePrefixBytes - this.held);
      this.held += at;
      if (this.held < framePrefixBytes) return at;
      this.frame = Buffer.allocUnsafe(this.messageLength(this.prefix, 0));
    }
    const { frame } = this;
    const copied = chunk.copy(frame, this.held - framePrefixBytes, at);
    this.held += copied;
    at += copied;
    if (this.held === framePrefixBytes + frame.length) {
      blocks.push({ bytes: frame, bounds: [0, frame.length] });
      this.frame = undefined;
      this.held = 0;
    }
    return at;
  }

  /** Keeps what stands from `at` on: less than a frame. */
  private begin(chunk: Buffer, at: number): void {
    this.held = chunk.length - at;
    if (this.held < framePrefixBytes) {
      chunk.copy(this.prefix, 0, at);
      return;
    }
    this.frame = Buffer.allocUnsafe(this.messageLength(chunk, at));
    chunk.copy(this.frame, 0, at + framePrefixBytes);
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
