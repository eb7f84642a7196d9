import type { Clock } from '../base/clock.js';
import { EventStamper } from '../messages/event-stamps.js';
import type { MeshEvent } from '../messages/mesh-event.js';
import { semantics, type Timestamp } from '../messages/timestamp.js';
import { type BytesPart, copyPart, RangeParts, viewOf, wholePart } from './bytes-part.js';
import type { RecordedEvent } from './recording.js';

const empty = Buffer.alloc(0);
const firstScratchBytes = 64 * 1024;

/**
 * The stamps that recording adds, behind those an event has: when it came (`client/receive`), if it came over the mesh,
 * and when it was written (`file/write`), both of monotonic clocks.
 */
export class RecordingStamps {
  private readonly clock: Clock;
  private readonly offsetS: number;
  private readonly stampers = new Map<string, EventStamper>();
  private readonly parts = new RangeParts();
  private scratch = Buffer.allocUnsafeSlow(firstScratchBytes);
  private view = viewOf(this.scratch);

  constructor(clock: Clock) {
    this.clock = clock;
    // Fixed, so that a system clock that is set back leaves the order of the recording as it is.
    this.offsetS = clock.system() - clock.monotonic();
  }

  /** The events as they are to be written now. Their bytes are valid until the next call. */
  stamp(events: readonly MeshEvent[]): RecordedEvent[] {
    const now = this.clock.monotonic();
    const timeS = now + this.offsetS;
    const recorded: RecordedEvent[] = [];
    let received: Timestamp | undefined;
    let stamps = this.encode(undefined, now);
    let at = 0;
    for (let index = 0; index < events.length; index++) {
      const event = events[index]!;
      // What came together has one stamp.
      if (event.received !== received) {
        received = event.received;
        stamps = this.encode(received, now);
      }
      const part = this.parts.part(event.eventRange);
      const bytes = part.end - part.start + stamps.end - stamps.start;
      if (at + bytes > this.scratch.length) {
        // Events that lie in the old one keep it until they are written.
        this.scratch = Buffer.allocUnsafeSlow(Math.max(2 * this.scratch.length, bytes));
        this.view = viewOf(this.scratch);
        at = 0;
      }
      const end = copyPart(stamps, this.view, copyPart(part, this.view, at));
      recorded.push({ event: event.restamped(this.scratch, at, end), timeS });
      at = end;
    }
    return recorded;
  }

  private encode(received: Timestamp | undefined, now: number): BytesPart {
    const seconds = received === undefined ? [now] : [received.stamp, now];
    return wholePart(this.stamper(received?.clockName ?? '').append(empty, seconds));
  }

  /** `receiver` is the clock of reception, empty without one. */
  private stamper(receiver: string): EventStamper {
    let stamper = this.stampers.get(receiver);
    if (stamper === undefined) {
      const written = { clockName: this.clock.monotonicName, semantics: semantics.fileWrite };
      const came = { clockName: receiver, semantics: semantics.clientReceive };
      stamper = new EventStamper(receiver === '' ? [written] : [came, written]);
      this.stampers.set(receiver, stamper);
    }
    return stamper;
  }
}
