import { expect } from 'vitest';
import { framePrefix, framePrefixBytes, frameStarts } from '../../src/wire/frames.js';
import type { FramedMessage, MessageBlock } from '../../src/wire/types.js';

/** A message as a stream takes it. */
export function framed(message: Uint8Array): FramedMessage {
  const bytes = Buffer.concat([framePrefix(message.length), message]);
  return { bytes, start: 0, end: framePrefixBytes + message.length, body: undefined };
}

/** The messages of blocks, one by one. */
export function messagesOf(blocks: readonly MessageBlock[]): Buffer[] {
  return blocks.flatMap(({ bytes, start, end, count }) => {
    const starts = frameStarts(bytes, start, end);
    expect(starts).toHaveLength(count + 1);
    expect(starts.at(-1)).toBe(end);
    return starts.slice(1).map((next, index) => bytes.subarray(starts[index]! + framePrefixBytes, next));
  });
}
