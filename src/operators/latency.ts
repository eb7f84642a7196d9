import { Observable, type OperatorFunction } from 'rxjs';
import type { MeshEvent } from '../messages/mesh-event.js';
import { semantics } from '../messages/timestamp.js';
import { forward } from './forward.js';

export interface LatencyOptions {
  /** Semantics of the earlier stamp. Default `service/send`. */
  readonly from?: string;
  /** Semantics of the later stamp. Default `client/receive`. */
  readonly to?: string;
  /**
   * Called for each event that no clock has both stamps of, with how many there have been. Without it such events
   * are passed over: a stream from another host has no latency that its stamps could tell.
   */
  readonly onSkipped?: (event: MeshEvent, skipped: number) => void;
}

/**
 * The seconds between two stamps of each event. Only stamps of one clock are compared, so an event whose publisher
 * and receiver share no clock gives no value (see `onSkipped`).
 *
 * @example
 * client.subscribe('/sample').pipe(latency()).subscribe((seconds) => console.log(`${seconds * 1e3} ms`));
 */
export function latency(options: LatencyOptions = {}): OperatorFunction<MeshEvent, number> {
  const { from = semantics.serviceSend, to = semantics.clientReceive, onSkipped } = options;
  return (events) =>
    new Observable((subscriber) => {
      let skipped = 0;
      forward(events, subscriber, (event) => {
        const seconds = event.secondsBetween(from, to);
        if (seconds !== undefined) subscriber.next(seconds);
        else onSkipped?.(event, ++skipped);
      });
    });
}
