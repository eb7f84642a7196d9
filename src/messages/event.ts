import type { Timestamp } from './timestamp.js';
import type { Uri } from './uri.js';

/** farm_ng.core.proto.Event: the envelope of one payload. */
export interface Event {
  readonly uri: Uri;
  readonly timestamps: readonly Timestamp[];
  /** Bytes of the payload that travels with it. */
  readonly payloadLength: number;
  /** Counts per (service, path), from 0. An integer up to 2^53 - 1; a larger one is refused, never rounded. */
  readonly sequence: number;
}
