/*
 * How a gRPC message stands in an HTTP/2 stream: one byte that says whether it is compressed, four that give its
 * length, big-endian, and the message. This file makes frames; `frame-reader.ts` reads them.
 * Source: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md, "Length-Prefixed-Message".
 */

export const framePrefixBytes = 5;

/** The five bytes before an uncompressed message of `length` bytes. */
export function framePrefix(length: number): Buffer {
  const prefix = Buffer.allocUnsafe(framePrefixBytes);
  writePrefix(prefix, 0, length);
  return prefix;
}

/**
 * Frames messages into one buffer. Subscribers of a path mostly send the same messages in the same tick, so a list
 * that equals the one before is not framed again: however many listen, the bytes are made once.
 */
export class FrameJoiner {
  private messages: readonly Uint8Array[] = [];
  private joined: Buffer = Buffer.alloc(0);

  join(messages: readonly Uint8Array[]): Buffer {
    if (sameItems(messages, this.messages)) return this.joined;
    let size = 0;
    for (const message of messages) size += framePrefixBytes + message.length;
    const joined = Buffer.allocUnsafe(size);
    let at = 0;
    for (const message of messages) {
      writePrefix(joined, at, message.length);
      joined.set(message, at + framePrefixBytes);
      at += framePrefixBytes + message.length;
    }
    this.messages = messages;
    this.joined = joined;
    return joined;
  }

  /** Forgets the last list, so that its bytes can be freed. */
  reset(): void {
    this.messages = [];
    this.joined = Buffer.alloc(0);
  }
}

function writePrefix(bytes: Buffer, at: number, length: number): void {
  bytes[at] = 0;
  bytes.writeUInt32BE(length, at + 1);
}

function sameItems(one: readonly unknown[], other: readonly unknown[]): boolean {
  if (one.length !== other.length) return false;
  for (let index = 0; index < one.length; index++) if (one[index] !== other[index]) return false;
  return true;
}
