import { MeshError } from '../base/errors.js';
import { framePrefixBytes } from './frames.js';

/**
 * Takes the messages out of a gRPC stream, however its bytes were cut on the way. A message that lies in one piece is
 * given as a view of it, without a copy. Frames: see `frames.ts`.
 */
export class FrameReader {
  private readonly maxMessageBytes: number;
  /** Bytes of a frame that has not come whole. */
  private pieces: Buffer[] = [];
  private held = 0;
  /** Length of the frame that `pieces` begins, prefix included; 0 while that is not known. */
  private wanted = 0;

  constructor(maxMessageBytes: number) {
    this.maxMessageBytes = maxMessageBytes;
  }

  /** Whether the bytes so far end between two messages. */
  get atBoundary(): boolean {
    return this.held === 0;
  }

  /**
   * Adds the messages that `chunk` completes to `messages`.
   * Errors: `resource-exhausted` for a message over the limit, `internal` for a compressed one, which nobody asked for.
   */
  read(chunk: Buffer, messages: Buffer[]): void {
    let bytes = chunk;
    if (this.held > 0) {
      const rest = this.complete(chunk, messages);
      if (rest === undefined) return;
      bytes = rest;
    }
    let at = 0;
    while (bytes.length - at >= framePrefixBytes) {
      const end = at + this.frameLength(bytes, at);
      if (end > bytes.length) break;
      messages.push(bytes.subarray(at + framePrefixBytes, end));
      at = end;
    }
    if (at < bytes.length) this.keep(bytes.subarray(at));
  }

  /** Adds to the frame begun; gives what lies behind it, or undefined when it is still not whole. */
  private complete(chunk: Buffer, messages: Buffer[]): Buffer | undefined {
    if (this.wanted === 0) {
      const missing = framePrefixBytes - this.held;
      if (chunk.length < missing) {
        this.keep(chunk);
        return undefined;
      }
      const prefix = Buffer.concat([...this.pieces, chunk.subarray(0, missing)]);
      this.wanted = this.frameLength(prefix, 0);
    }
    const missing = this.wanted - this.held;
    if (chunk.length < missing) {
      this.keep(chunk);
      return undefined;
    }
    const frame = Buffer.concat([...this.pieces, chunk.subarray(0, missing)], this.wanted);
    this.pieces = [];
    this.held = 0;
    this.wanted = 0;
    messages.push(frame.subarray(framePrefixBytes));
    return chunk.subarray(missing);
  }

  private keep(piece: Buffer): void {
    if (this.held === 0 && piece.length >= framePrefixBytes) this.wanted = this.frameLength(piece, 0);
    this.pieces.push(piece);
    this.held += piece.length;
  }

  private frameLength(bytes: Buffer, at: number): number {
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
    return framePrefixBytes + length;
  }
}
