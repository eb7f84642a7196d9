import type { Activities } from './activities.js';
import type { Agreement, Agreements } from './agreements.js';
import type { Timers } from './timers.js';

/**
 * Lets providers terminate agreements in which nothing runs for `idleMs`: a requestor that died must not occupy them
 * for ever.
 */
export function endIdleAgreements(
  agreements: Agreements,
  activities: Activities,
  { timers, idleMs }: { timers: Timers; idleMs: number },
): void {
  const lastBusy = new WeakMap<Agreement, number>();
  const watch = (agreement: Agreement) => {
    lastBusy.set(agreement, performance.now());
    timers.after(idleMs, () => {
      const runs = activities.of(agreement).some(({ state }) => state !== 'Terminated');
      // Whatever ended later has a timer of its own.
      const restarted = performance.now() - (lastBusy.get(agreement) ?? 0) < idleMs;
      if (agreement.state !== 'Approved' || runs || restarted) return;
      agreements.terminate(agreement.id, 'Provider', { message: `nothing ran for ${idleMs / 1000} s` });
    });
  };
  agreements.onApprove(watch);
  activities.onEnd(({ agreement }) => watch(agreement));
}
