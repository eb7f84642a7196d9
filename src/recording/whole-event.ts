import { EventScan } from './event-scan.js';

const tag = {
  uri: 0x0a,
  timestamp: 0x12,
  payloadLength: 0x18,
  sequence: 0x20,
  clockName: 0x12,
  semantics: 0x1a,
  seconds: 0x09,
};

/**
 * Checks that the bytes are an Event to the last field of its stamps, which is what readers look for. Quick for events
 * as every known program writes them; others are scanned. Errors: those of `EventScan.read`.
 */
export function checkWhole(bytes: Buffer): void {
  if (!isPlain(bytes)) new EventScan().read(bytes, 0, bytes.length);
}

/** Whether all fields stand in their usual order and lengths have one byte, that of the URI two at most. */
function isPlain(bytes: Buffer): boolean {
  const end = bytes.length;
  let at = 0;
  while (at < end) {
    const field = bytes[at]!;
    if (field === tag.timestamp) {
      const length = bytes[at + 1]!;
      const next = at + 2 + length;
      if (length >= 0x80 || next > end || !isPlainStamp(bytes, at + 2, next)) return false;
      at = next;
    } else if (field === tag.uri) {
      const first = bytes[at + 1]!;
      const second = bytes[at + 2]!;
      if (first >= 0x80 && second >= 0x80) return false;
      at += first < 0x80 ? 2 + first : 3 + ((first & 0x7f) | (second << 7));
    } else if (field === tag.payloadLength || field === tag.sequence) {
      at += 1;
      for (let digits = 0; bytes[at]! >= 0x80; digits++) {
        if (digits === 6) return false;
        at += 1;
      }
      at += 1;
    } else return false;
  }
  return at === end;
}

function isPlainStamp(bytes: Buffer, start: number, end: number): boolean {
  let at = start;
  if (bytes[at] === tag.seconds) at += 9;
  if (at < end && bytes[at] === tag.clockName && bytes[at + 1]! < 0x80) at += 2 + bytes[at + 1]!;
  if (at < end && bytes[at] === tag.semantics && bytes[at + 1]! < 0x80) at += 2 + bytes[at + 1]!;
  return at === end;
}
