import type { FileHandle } from 'node:fs/promises';
import { decodeTimestamps } from '../messages/envelope.js';
import { EventMemo } from '../messages/event-memo.js';
import { semantics, type Timestamp } from '../messages/timestamp.js';
import type { EventForms } from './event-forms.js';
import { PathTable } from './path-table.js';
import { recordChunks } from './record-chunks.js';
import { RecordParser } from './record-parser.js';

/** What makes the monotonic `file/write` stamps of a recording Unix time. */
export interface Anchor {
  /** `<host>/monotonic`; empty for a recording without such stamps. */
  readonly clockName: string;
  /** Unix time less the clock's. */
  readonly offsetS: number;
}

export const noAnchor: Anchor = { clockName: '', offsetS: 0 };

const anchorRecords = 1000;
const anchorBytes = 8_000_000;

/** Says when the events of one recording were recorded. */
export class RecordingClock {
  /** Whether all events so far had a `file/write` stamp. */
  pure = true;
  /** Time of the event before. */
  lastS = 0;
  private readonly memo = new EventMemo();

  constructor(readonly anchor: Anchor) {}

  /** Time of the event that was read last, Unix seconds. */
  readonly timeOf = (event: EventForms, bytes: Buffer, start: number, end: number): number => {
    const { fileWriteS, clockName, sentS } = event;
    if (Number.isFinite(fileWriteS) && clockName === this.anchor.clockName) {
      this.lastS = fileWriteS + this.anchor.offsetS;
    } else {
      this.pure = false;
      if (Number.isFinite(sentS)) this.lastS = sentS;
      else this.lastS = decodeTimestamps(bytes, start, end, this.memo).find(isSystem)?.stamp ?? this.lastS;
    }
    return this.lastS;
  };
}

/**
 * The anchor of a recording: the greatest difference of the system clock's `service/send` stamp and the `file/write`
 * stamp in the first 1000 events, those sent by the recorder's own machine before all others. The greatest, because an
 * event is written after it was sent, perhaps long after.
 */
export async function readAnchor(
  handle: FileHandle,
  options: { readonly file: string; readonly size: number; readonly signal?: AbortSignal | undefined },
): Promise<Anchor> {
  const memo = new EventMemo();
  const parser = new RecordParser(new PathTable(), () => 0);
  const found = new AnchorSearch();
  let records = 0;
  for await (const { bytes, offset } of recordChunks(handle, parser, options)) {
    for (let row = 0; row < parser.count && records < anchorRecords; row++, records++) {
      found.add(decodeTimestamps(bytes, parser.starts[row]! + 4, parser.eventEnds[row]!, memo));
    }
    if (records >= anchorRecords || offset > anchorBytes) break;
  }
  return found.anchor;
}

class AnchorSearch {
  private clockName = '';
  private own = Number.NEGATIVE_INFINITY;
  private foreign = Number.NEGATIVE_INFINITY;

  add(stamps: readonly Timestamp[]): void {
    const written = stamps.findLast(isFileWrite);
    if (written === undefined) return;
    this.clockName ||= written.clockName;
    const sent = stamps.find(isSystemSend);
    if (written.clockName !== this.clockName || sent === undefined) return;
    const offsetS = sent.stamp - written.stamp;
    if (!Number.isFinite(offsetS)) return;
    if (hostOf(sent) === hostOf(written)) this.own = Math.max(this.own, offsetS);
    else this.foreign = Math.max(this.foreign, offsetS);
  }

  get anchor(): Anchor {
    const offsetS = [this.own, this.foreign].find(Number.isFinite) ?? 0;
    return { clockName: this.clockName, offsetS };
  }
}

function isFileWrite({ semantics: what, clockName }: Timestamp): boolean {
  return what === semantics.fileWrite && clockName.endsWith('/monotonic');
}

function isSystemSend(stamp: Timestamp): boolean {
  return stamp.semantics === semantics.serviceSend && isSystem(stamp);
}

function isSystem({ clockName, stamp }: Timestamp): boolean {
  return Number.isFinite(stamp) && clockName.includes('/system_clock');
}

function hostOf({ clockName }: Timestamp): string {
  return clockName.slice(0, clockName.indexOf('/'));
}
