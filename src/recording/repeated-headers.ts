import { appendStamp, removeStamps } from '../messages/event-stamps.js';
import type { MeshEvent } from '../messages/mesh-event.js';
import { semantics, type Timestamp } from '../messages/timestamp.js';

// Headers name calibrations and configurations; a recording has a handful.
const maxHeaders = 1000;

interface Header {
  readonly eventBytes: Buffer;
  readonly payload: Buffer;
  readonly timeS: number;
  readonly written: Timestamp | undefined;
}

/** The last event of each header path, the 1000 newest paths at most. */
export class RepeatedHeaders {
  private readonly headers = new Map<string, Header>();

  keep(event: MeshEvent, timeS: number): void {
    const key = `${event.service}${event.path}`;
    // A path that comes again counts as new.
    this.headers.delete(key);
    this.headers.set(key, {
      eventBytes: Buffer.from(event.eventBytes),
      payload: Buffer.from(event.payload),
      timeS,
      written: event.timestamps.findLast((stamp) => stamp.semantics === semantics.fileWrite),
    });
    if (this.headers.size > maxHeaders) this.headers.delete(this.headers.keys().next().value!);
  }

  clear(): void {
    this.headers.clear();
  }

  /** The headers as they are written at `timeS`: their `file/write` stamp says so, all else is as it was. */
  *at(timeS: number): Generator<{ readonly eventBytes: Buffer; readonly payload: Buffer }> {
    for (const { eventBytes, payload, timeS: keptS, written } of this.headers.values()) {
      if (written === undefined) yield { eventBytes, payload };
      else {
        const stamp = { ...written, stamp: written.stamp + (timeS - keptS) };
        yield { eventBytes: appendStamp(removeStamps(eventBytes, [semantics.fileWrite]), stamp), payload };
      }
    }
  }
}
