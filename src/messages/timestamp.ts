import type { Clock } from '../base/clock.js';

/** farm_ng.core.proto.Timestamp: one reading of one named clock. */
export interface Timestamp {
  /** Seconds on the clock that `clockName` names. */
  readonly stamp: number;
  /** `<host>/monotonic` or `<host>/system_clock/<timezone>`. */
  readonly clockName: string;
  /** What happened then. */
  readonly semantics: string;
}

/** The semantics in use in the field. */
export const semantics = {
  clientSend: 'client/send',
  clientReceive: 'client/receive',
  serviceSend: 'service/send',
  serviceReceive: 'service/receive',
  driverReceive: 'driver/receive',
  driverTransmit: 'driver/transmit',
  deviceSample: 'device/sample',
  fileWrite: 'file/write',
} as const;

/** The two stamps, monotonic and system clock, that sending adds. */
export function stampsNow(clock: Clock, semantics: string): Timestamp[] {
  return [
    { stamp: clock.monotonic(), clockName: clock.monotonicName, semantics },
    { stamp: clock.system(), clockName: clock.systemName, semantics },
  ];
}

/**
 * The first stamp with these semantics, of a clock whose name ends in `clockSuffix` (default: any clock).
 * Position says nothing, so stamps are always looked up this way.
 */
export function findStamp(
  timestamps: readonly Timestamp[],
  semantics: string,
  clockSuffix = '',
): Timestamp | undefined {
  return timestamps.find((stamp) => stamp.semantics === semantics && stamp.clockName.endsWith(clockSuffix));
}

/**
 * Seconds from the stamp `from` to the stamp `to`, both of one clock: a monotonic one where there is one, since a
 * system clock can be set back in between. Undefined when no clock has both: times of two clocks must never be
 * subtracted.
 */
export function secondsBetween(timestamps: readonly Timestamp[], from: string, to: string): number | undefined {
  let seconds: number | undefined;
  for (const start of timestamps) {
    if (start.semantics !== from) continue;
    const end = timestamps.find((stamp) => stamp.semantics === to && stamp.clockName === start.clockName);
    if (end === undefined) continue;
    if (start.clockName.endsWith('/monotonic')) return end.stamp - start.stamp;
    seconds ??= end.stamp - start.stamp;
  }
  return seconds;
}
