import type { FramedMessage, MessageBlock } from './types.js';

/*
 * How a gRPC message stands in an HTTP/2 stream: one byte that says whether it is compressed, four that give its
 * length, big-endian, and the message. This file makes frames; `frame-reader.ts` reads them.
 * Source: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md, "Length-Prefixed-Message".
 */

export const framePrefixBytes = 5;

const leastMemoryBytes = 1024;
// A hundred events of the usual size.
const mostMemoryBytes = 32 * 1024;

/** Writes the prefix of a message of `length` bytes, not compressed; gives where the message begins. */
export function writePrefix(bytes: Buffer, offset: number, length: number): number {
  bytes[offset] = 0;
  bytes[offset + 1] = length >>> 24;
  bytes[offset + 2] = length >>> 16;
  bytes[offset + 3] = length >>> 8;
  bytes[offset + 4] = length;
  return offset + framePrefixBytes;
}

/** The five bytes before an uncompressed message of `length` bytes. */
export function framePrefix(length: number): Buffer {
  const prefix = Buffer.allocUnsafe(framePrefixBytes);
  writePrefix(prefix, 0, length);
  return prefix;
}

/** Whether the message of the frame at `start` is compressed. */
export function isCompressed(bytes: Buffer, start: number): boolean {
  return bytes[start] !== 0;
}

/** Where the frame that begins at `start` ends, by its prefix. */
export function frameEnd(bytes: Buffer, start: number): number {
  const upper = (bytes[start + 1]! << 24) >>> 0;
  const lower = (bytes[start + 2]! << 16) | (bytes[start + 3]! << 8) | bytes[start + 4]!;
  return start + framePrefixBytes + upper + lower;
}

/** Where each of the frames from `start` to `end` begins, and the end. */
export function frameStarts(bytes: Buffer, start: number, end: number): number[] {
  const starts = [start];
  for (let at = start; at < end; ) {
    at = frameEnd(bytes, at);
    starts.push(at);
  }
  return starts;
}

/** Gives the messages of a block one by one, cut out of it. */
export function forEachMessage({ bytes, start, end }: MessageBlock, take: (message: Buffer) => void): void {
  for (let at = start; at < end; ) {
    const next = frameEnd(bytes, at);
    take(bytes.subarray(at + framePrefixBytes, next));
    at = next;
  }
}

/** The message within a frame, without its prefix. */
export function messageOf({ bytes, start, end, body }: FramedMessage): Buffer {
  const message = bytes.subarray(start + framePrefixBytes, end);
  return body === undefined ? message : Buffer.concat([message, body]);
}

/**
 * Memory that frames are written into one behind the other, and that is never written again: what is published on one
 * path in one tick goes out to every subscriber as one piece, without being copied together. Whoever keeps a run of
 * frames keeps little more than them alive.
 */
export class FrameMemory {
  /** Where the room given last lies. */
  bytes: Buffer = Buffer.alloc(0);
  private used = 0;

  /** Room for `size` bytes in `bytes`: gives where it begins. */
  reserve(size: number): number {
    if (this.used + size > this.bytes.length) {
      // A path that says little is not to hold much.
      const next = Math.min(Math.max(2 * this.bytes.length, leastMemoryBytes), mostMemoryBytes);
      this.bytes = Buffer.allocUnsafeSlow(Math.max(next, size));
      this.used = 0;
    }
    const start = this.used;
    this.used += size;
    return start;
  }
}
