import { viewOf } from './bytes-part.js';
import { lengthBytes, maxEventBytes, maxPayloadBytes } from './event-file-format.js';
import { EventForms } from './event-forms.js';
import type { RecordKernel } from './kernel/record-kernel.js';
import type { PathTable } from './path-table.js';

/** Records that one chunk holds at most. */
const maxRecords = 4096;

/** Gives the time of the event that was read last, Unix seconds. */
export type RecordTimes = (event: EventForms, bytes: Buffer, start: number, end: number) => number;

/** Why a parser stopped. `suspect`: the record is whole, but what follows it is none. */
export type ParseStop =
  | { readonly kind: 'end' | 'full' }
  | { readonly kind: 'more'; readonly neededBytes: number; readonly payload?: PayloadBounds }
  | { readonly kind: 'damage'; readonly reason: string }
  | { readonly kind: 'suspect'; readonly payload: PayloadBounds };

/** Where in the bytes a payload should stand. */
export interface PayloadBounds {
  readonly start: number;
  readonly end: number;
}

/**
 * Splits bytes of an event file into records, column by column: a record costs no object. Only the first `count`
 * places of the columns mean anything, and only until the next `parse`.
 */
export class RecordParser {
  count = 0;
  /** Where records begin, where their events end, where they end; offsets in `bytes`. */
  readonly starts = new Int32Array(maxRecords);
  readonly eventEnds = new Int32Array(maxRecords);
  readonly ends = new Int32Array(maxRecords);
  /** Numbers in the path table. */
  readonly paths = new Int32Array(maxRecords);
  readonly sequences = new Float64Array(maxRecords);
  readonly times = new Float64Array(maxRecords);
  /** Seconds of the publisher's system clock when it was sent; NaN where the event does not say. */
  readonly sent = new Float64Array(maxRecords);
  /** The first byte that is in no record of this parse. */
  consumed = 0;

  private readonly event: EventForms;

  constructor(
    table: PathTable,
    private readonly timeOf: RecordTimes,
    private readonly kernel?: RecordKernel,
  ) {
    this.event = new EventForms(table, kernel);
  }

  /**
   * @param end Where in `bytes` records may begin no more.
   * @param leftBytes Bytes of the file from the start of `bytes` on.
   * @param trusted Where in `bytes` a record stands that is good whatever follows it; -1 for none.
   */
  parse(bytes: Buffer, end: number, leftBytes: number, trusted: number): ParseStop {
    const { event, starts, eventEnds, ends, paths, sequences, times, sent } = this;
    const had = bytes.length;
    const view = viewOf(bytes);
    const offset = this.kernel?.offsetOf(bytes) ?? -1;
    let at = 0;
    this.count = 0;
    for (;;) {
      this.consumed = at;
      if (at >= end) return { kind: 'end' };
      if (this.count === maxRecords) return { kind: 'full' };
      if (at + lengthBytes > had) return this.short(at, at + lengthBytes, leftBytes);
      const length = view.getUint32(at, true);
      if (length === 0 || length > maxEventBytes) {
        return damage(`its first 4 bytes say that the event has ${length} bytes; it has 1 to ${maxEventBytes}`);
      }
      const eventStart = at + lengthBytes;
      const eventEnd = eventStart + length;
      if (eventEnd > had) return this.short(at, eventEnd, leftBytes);
      try {
        event.read(view, eventStart, eventEnd, offset < 0 ? -1 : offset + eventStart);
      } catch (error) {
        return damage(`its ${length} bytes of event: ${(error as Error).message}`);
      }
      const { path, payloadLength } = event;
      if (path === undefined) return damage(`its event of ${length} bytes has no URI`);
      if (payloadLength < 0 || payloadLength > maxPayloadBytes) {
        return damage(`its event says that the payload has ${payloadLength} bytes; it has 0 to ${maxPayloadBytes}`);
      }
      const recordEnd = eventEnd + payloadLength;
      if (recordEnd > leftBytes) return tooLong(recordEnd - at, leftBytes - at);
      if (at !== trusted && recordEnd < leftBytes) {
        // A wrong payload_length shows in what follows the record.
        const seen = Math.min(leftBytes, recordEnd + lengthBytes + 1);
        if (seen > had) return { kind: 'more', neededBytes: seen - at, payload: { start: eventEnd, end: recordEnd } };
        if (!beginsRecord(view, recordEnd, seen))
          return { kind: 'suspect', payload: { start: eventEnd, end: recordEnd } };
      } else if (recordEnd > had)
        return { kind: 'more', neededBytes: recordEnd - at, payload: { start: eventEnd, end: recordEnd } };
      const row = this.count++;
      starts[row] = at;
      eventEnds[row] = eventEnd;
      ends[row] = recordEnd;
      paths[row] = path;
      sequences[row] = event.sequence;
      times[row] = this.timeOf(event, bytes, eventStart, eventEnd);
      sent[row] = event.sentS;
      at = recordEnd;
    }
  }

  /** There are no bytes up to `to`: in the buffer, or in the file. */
  private short(at: number, to: number, leftBytes: number): ParseStop {
    return to > leftBytes ? tooLong(to - at, leftBytes - at) : { kind: 'more', neededBytes: to - at };
  }
}

/** Whether a record can begin at `at`; a few bytes at the end of a file may be the rest of one. */
export function beginsRecord(view: DataView, at: number, end: number): boolean {
  if (end - at <= lengthBytes) return true;
  const length = view.getUint32(at, true);
  return length > 0 && length <= maxEventBytes && view.getUint8(at + lengthBytes) === uriTag;
}

/** Tag of Event.uri, its first field; a writer that orders them otherwise only makes reading slower. */
export const uriTag = 0x0a;

function tooLong(bytes: number, leftBytes: number): ParseStop {
  return damage(`it needs at least ${bytes} bytes; the file has ${leftBytes} more`);
}

function damage(reason: string): ParseStop {
  return { kind: 'damage', reason };
}
