import { recordHeadBytes } from './mcap-format.js';

/** A record's opcode, and where its content stands. */
export interface RecordPlace {
  code: number;
  start: number;
  /** Beyond the bytes when they are not all of it. */
  end: number;
}

/** Reads the head of the record at `at` into `place`; false when not even its head is there. */
export function readRecordHead(bytes: DataView, at: number, place: RecordPlace): boolean {
  if (at + recordHeadBytes > bytes.byteLength) return false;
  place.code = bytes.getUint8(at);
  place.start = at + recordHeadBytes;
  place.end = place.start + bytes.getUint32(at + 1, true) + bytes.getUint32(at + 5, true) * 0x100000000;
  return true;
}

/**
 * Visits whole records from `from` on, one behind the other, until one says to stop; gives where the next begins, or
 * the first that is not whole.
 */
export function walkRecords(
  bytes: DataView,
  from: number,
  visit: (code: number, start: number, end: number) => 'stop' | undefined,
): number {
  const place = { code: 0, start: 0, end: 0 };
  let at = from;
  while (readRecordHead(bytes, at, place) && place.end <= bytes.byteLength) {
    at = place.end;
    if (visit(place.code, place.start, place.end) === 'stop') break;
  }
  return at;
}
