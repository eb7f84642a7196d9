import type { Clock } from '../base/clock.js';
import type { MeshEvent } from '../messages/mesh-event.js';
import { semantics } from '../messages/timestamp.js';

/**
 * Tells events that were published before now, which a new subscriber gets because they are latched, from live ones.
 * Only where publisher and subscriber share a clock can that be known; elsewhere every event counts as live.
 */
export function heldBefore(clock: Clock): (event: MeshEvent) => boolean {
  const begin = clock.monotonic();
  return (event) => {
    const sent = event.timestamps.find(
      ({ clockName, semantics: what }) => what === semantics.serviceSend && clockName === clock.monotonicName,
    );
    return sent !== undefined && sent.stamp < begin;
  };
}
