import { Observable, type OperatorFunction } from 'rxjs';
import type { MeshEvent } from '../messages/mesh-event.js';
import { forward } from './forward.js';
import { RecentPaths } from './recent-paths.js';

/** Events of one path that were published and did not arrive. */
export interface SequenceGap {
  /** The publishing service. */
  readonly service: string;
  readonly path: string;
  /** First and last sequence that is missing. */
  readonly from: number;
  readonly to: number;
  /** How many are missing: `to - from + 1`, or fewer with `everyN`. */
  readonly count: number;
}

export interface SequenceGapsOptions {
  /** The subscription's `everyN`: only multiples of it are awaited. Default 1; 0 means the same. */
  readonly everyN?: number;
  /** Paths remembered; the one not heard of for the longest is forgotten first. Default 10,000. */
  readonly maxPaths?: number;
}

/**
 * Emits a gap for each run of sequences that is missing, per service and path, when the event behind it arrives.
 * The first event of a path starts its count, and so does a sequence that goes back: its publisher has started again.
 * (One that started again and is past the last sequence already cannot be told from a gap.) A repeated sequence, such as a latched event that comes again, says nothing.
 *
 * @example
 * client.subscribe('/sample').pipe(sequenceGaps()).subscribe(({ path, count }) => console.warn(`${path}: ${count} lost`));
 */
export function sequenceGaps(options: SequenceGapsOptions = {}): OperatorFunction<MeshEvent, SequenceGap> {
  const step = Math.max(1, options.everyN ?? 1);
  return (events) =>
    new Observable((subscriber) => {
      const lastSequences = new RecentPaths<number>(options.maxPaths ?? 10_000);
      forward(events, subscriber, (event) => {
        const { service, path, sequence } = event;
        const last = lastSequences.get(service, path);
        lastSequences.set(service, path, sequence);
        if (last === undefined) return;
        const from = (Math.floor(last / step) + 1) * step;
        const to = (Math.ceil(sequence / step) - 1) * step;
        if (from <= to) subscriber.next({ service, path, from, to, count: (to - from) / step + 1 });
      });
    });
}
