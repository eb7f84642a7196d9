import type { MeshError } from '../base/errors.js';
import type { Gap } from '../mesh/sequence-tracker.js';

/** What became of one path while it was recorded. */
export interface PathReport {
  readonly service: string;
  readonly path: string;
  /** Full message name; empty while no event has come. */
  readonly type: string;
  /** Events that were asked for since the recording began: those written and those lost. */
  readonly expected: number;
  readonly written: number;
  /** Bytes of the payloads written. */
  readonly bytes: number;
  /** Events that the publisher sent while the recording ran, and that are not in it. */
  readonly lost: number;
  /** Which those are, in the order in which they were missed; at most 1000 of them. */
  readonly gaps: readonly Gap[];
  /** Events of the publisher's present run that it had sent before, and no longer held. */
  readonly before: number;
}

/** One subscription of a recording. */
export interface SubscriptionReport {
  readonly service: string;
  /** May be a wildcard. */
  readonly path: string;
  /** Times it was taken up again after a break or a restart of its service. */
  readonly reconnects: number;
  /** Events that came and could not be read as events. */
  readonly unreadable: number;
  /** What ended it for good while the recording went on: trying again could not mend it. */
  readonly error?: MeshError;
}

/** What a recorder has written, and what not. */
export interface RecordingReport {
  readonly files: readonly string[];
  /** Unix seconds at which the recording began, and how long it has run. */
  readonly startS: number;
  readonly durationS: number;
  readonly events: number;
  /** Bytes of events and payloads written. */
  readonly bytes: number;
  /** Events lost while it ran: in gaps, or unreadable. */
  readonly lost: number;
  /** By service, then path. */
  readonly paths: readonly PathReport[];
  readonly subscriptions: readonly SubscriptionReport[];
  /** What stopped the recording, if it was not told to stop. */
  readonly error?: MeshError;
}

/** Whether everything that was published while the recording ran is in it. */
export function isComplete({ error, lost, subscriptions }: RecordingReport): boolean {
  return error === undefined && lost === 0 && subscriptions.every((subscription) => subscription.error === undefined);
}
