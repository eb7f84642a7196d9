import type { ServiceConfig } from './types.js';

/** Something that `checkConfig` found. */
export interface Finding {
  /** `error`: the mesh cannot work as written. `warning`: it can, but probably not as meant. */
  readonly severity: 'error' | 'warning';
  /** JSON path of the place: `configs[2].subscriptions[0]`. */
  readonly at: string;
  /** What was found there, and what to do. */
  readonly message: string;
}

/** A service and where it stands in its file. */
export interface PlacedService {
  readonly service: ServiceConfig;
  readonly at: string;
}
