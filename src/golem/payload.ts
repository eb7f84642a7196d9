import type { DemandBuilder } from './demand-builder.js';

/** What a provider has to run: anything that can describe itself in a demand. */
export interface Payload {
  decorateDemand(demand: DemandBuilder): void | Promise<void>;
}

export function isPayload(value: unknown): value is Payload {
  return typeof (value as Payload | null | undefined)?.decorateDemand === 'function';
}
