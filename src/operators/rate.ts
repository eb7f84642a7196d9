import { Observable, type OperatorFunction } from 'rxjs';
import { type Clock, systemClock } from '../base/clock.js';
import type { MeshEvent } from '../messages/mesh-event.js';
import { semantics } from '../messages/timestamp.js';
import { forward } from './forward.js';

export interface RateOptions {
  /** Events that a rate is taken over, at least 2. Default 50, as in `/health`. */
  readonly window?: number;
  /** Tells the time of arrival, for events without a common clock. Default: this host's clock. */
  readonly clock?: Pick<Clock, 'monotonic'>;
}

interface Sample {
  readonly sentAt: number;
  readonly arrivedAt: number;
}

/**
 * The rate of a stream in Hz over its last events: one value an event, from the second event on. It is computed from
 * the publisher's monotonic `service/send` stamps, so that batches and delays on the way do not show. Where the events
 * in view have no stamp of one clock (several publishers, or none that stamps) it is the rate of their arrival.
 * No value comes while all events in view bear the same time.
 *
 * @example
 * client.subscribe('/sample').pipe(rate({ window: 20 })).subscribe((hz) => console.log(`${hz.toFixed(1)} Hz`));
 */
export function rate(options: RateOptions = {}): OperatorFunction<MeshEvent, number> {
  const window = Math.max(2, options.window ?? 50);
  const clock = options.clock ?? systemClock();
  return (events) =>
    new Observable((subscriber) => {
      let samples: Sample[] = [];
      let clockName: string | undefined;
      // How many of the newest samples bear a stamp of `clockName`.
      let sameClock = 0;
      forward(events, subscriber, (event) => {
        const sent = event.stamp(semantics.serviceSend, '/monotonic');
        const sample = { sentAt: sent?.stamp ?? 0, arrivedAt: clock.monotonic() };
        sameClock = sent !== undefined && sent.clockName === clockName ? sameClock + 1 : sent === undefined ? 0 : 1;
        clockName = sent?.clockName;
        samples.push(sample);
        if (samples.length > window) samples.shift();
        const stamped = sameClock >= samples.length;
        const first = samples[0]!;
        const span = stamped ? sample.sentAt - first.sentAt : sample.arrivedAt - first.arrivedAt;
        if (span > 0) subscriber.next((samples.length - 1) / span);
        // A clock that went back belongs to a host that started again: what came before says nothing.
        else if (span < 0) samples = [sample];
      });
    });
}
