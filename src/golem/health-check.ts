import { MeshError } from '../base/errors.js';
import { pause } from '../base/pause.js';
import type { GolemDaemon } from './daemon.js';
import type { TerminationReason } from './termination.js';

export interface HealthCheckOptions {
  /** Default 10,000. */
  readonly intervalMs?: number;
  /** Failures in a row that end the instance. Default 3. */
  readonly failures?: number;
}

export interface HealthWatch extends HealthCheckOptions {
  readonly daemon: GolemDaemon;
  readonly activityId: string;
  readonly signal: AbortSignal;
  /** The first check of a row fails; and the first after that succeeds. */
  readonly onLost: (why: string) => void;
  readonly onRecovered: () => void;
  readonly onDead: (reason: TerminationReason) => void;
}

/** Asks for the activity's state again and again, until the signal aborts or the activity is found dead. */
export async function watchHealth(watch: HealthWatch): Promise<void> {
  const { daemon, activityId, signal, intervalMs = 10_000, failures: most = 3 } = watch;
  let failures = 0;
  for (;;) {
    await pause(intervalMs, signal);
    if (signal.aborted) return;
    let failure: MeshError | undefined;
    try {
      const timeoutMs = Math.max(1000, intervalMs);
      const [state] = await daemon.activity.state(activityId, { signal, timeoutMs });
      if (state === 'Terminated') {
        const message = `Activity ${activityId} has ended on the provider`;
        watch.onDead({ kind: 'activity-gone', message, error: new MeshError('aborted', message) });
        return;
      }
      if (state === 'Unresponsive') failure = new MeshError('unavailable', `Activity ${activityId} is unresponsive`);
    } catch (error) {
      failure = MeshError.from(error);
    }
    if (signal.aborted) return;
    if (!failure) {
      if (failures > 0) watch.onRecovered();
      failures = 0;
      continue;
    }
    failures += 1;
    if (failures === 1) watch.onLost(failure.message);
    if (failures >= most) {
      const message = `${failures} health checks in a row failed; the last: ${failure.message}`;
      watch.onDead({ kind: 'unresponsive', message, error: new MeshError('unavailable', message, { cause: failure }) });
      return;
    }
  }
}
