import type { Clock } from '../base/clock.js';
import { EventStamper } from '../messages/event-stamps.js';
import type { MeshEvent } from '../messages/mesh-event.js';
import { semantics, type Timestamp } from '../messages/timestamp.js';
import { type BytesPart, wholePart } from './bytes-part.js';
import type { StampedEvent } from './recording.js';

const empty = Buffer.alloc(0);

/**
 * The stamps that recording adds, behind those an event has: when it came (`client/receive`), if it came over the mesh,
 * and when it was written (`file/write`), both of monotonic clocks.
 */
export class RecordingStamps {
  private readonly clock: Clock;
  private readonly offsetS: number;
  private readonly stampers = new Map<string, EventStamper>();

  constructor(clock: Clock) {
    this.clock = clock;
    // Fixed, so that a system clock that is set back leaves the order of the recording as it is.
    this.offsetS = clock.system() - clock.monotonic();
  }

  /** The events as they are to be written now. */
  stamp(events: readonly MeshEvent[]): StampedEvent[] {
    const now = this.clock.monotonic();
    const timeS = now + this.offsetS;
    const stamped: StampedEvent[] = [];
    let received: Timestamp | undefined;
    let stamps = this.encode(undefined, now);
    for (let index = 0; index < events.length; index++) {
      const event = events[index]!;
      // What came together has one stamp.
      if (event.received !== received) {
        received = event.received;
        stamps = this.encode(received, now);
      }
      stamped.push({ event, timeS, stamps });
    }
    return stamped;
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
