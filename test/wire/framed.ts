import { framePrefix, framePrefixBytes } from '../../src/wire/frames.js';
import type { FramedMessage, MessageBlock } from '../../src/wire/types.js';

/** A message as a stream takes it. */
export function framed(message: Uint8Array): FramedMessage {
  const bytes = Buffer.concat([framePrefix(message.length), message]);
  return { bytes, start: 0, end: framePrefixBytes + message.length, body: undefined };
}

/** The messages of blocks, one by one. */
export function messagesOf(blocks: readonly MessageBlock[]): Buffer[] {
  return blocks.flatMap(({ bytes, bounds }) =>
    Array.from({ length: bounds.length / 2 }, (_, index) => bytes.subarray(bounds[2 * index], bounds[2 * index + 1])),
  );
}
