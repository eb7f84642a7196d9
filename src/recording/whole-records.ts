import { decodeHead } from '../messages/envelope.js';
import { EventMemo } from '../messages/event-memo.js';
import { lengthBytes } from './event-file-format.js';

/** Bytes of the records that are whole within the first `length` bytes. */
export function wholeRecords(bytes: Buffer, length: number): number {
  const memo = new EventMemo();
  let at = 0;
  while (at + lengthBytes <= length) {
    const eventEnd = at + lengthBytes + bytes.readUInt32LE(at);
    if (eventEnd > length) break;
    const end = eventEnd + decodeHead(bytes, at + lengthBytes, eventEnd, memo).payloadLength;
    if (end > length) break;
    at = end;
  }
  return at;
}
