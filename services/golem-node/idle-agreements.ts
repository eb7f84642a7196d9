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
  const watches = new WeakMap<Agreement, object>();
  const watch = (agreement: Agreement) => {
    const watching = {};
    watches.set(agreement, watching);
    timers.after(idleMs, () => {
      const runs = activities.of(agreement).some(({ state }) => state !== 'Terminated');
      // Whatever ended later has a timer of its own. Not told by the time: a timer may come a little early.
      const restarted = watches.get(agreement) !== watching;
      if (agreement.state !== 'Approved' || runs || restarted) return;
      agreements.terminate(agreement.id, 'Provider', { message: `nothing ran for ${idleMs / 1000} s` });
    });
  };
  agreements.onApprove(watch);
  activities.onEnd(({ agreement }) => watch(agreement));
}
