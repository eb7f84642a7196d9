import { pause } from '../base/pause.js';
import { backoffMs } from './signals.js';

export interface PolledEvent {
  /** Tells events apart; the same event may be fetched more than once. */
  readonly key: string;
  /** ISO 8601. */
  readonly date: string;
}

export interface PollerOptions<T extends PolledEvent> {
  /** One long poll. */
  readonly fetch: (after: string, waitSeconds: number) => Promise<readonly T[]>;
  readonly handle: (event: T) => void;
  /** Ends the poller. */
  readonly signal: AbortSignal;
  /** Told of every failed poll; and of the first that works again. */
  readonly onFailure?: (error: unknown) => void;
  readonly onSuccess?: () => void;
  /** Asked before the next poll after a failure; the poller waits until it answers. */
  readonly probe?: () => Promise<unknown>;
  /** Default 5. */
  readonly waitSeconds?: number;
  /** How far back each first poll looks again, ms. Default 2000. */
  readonly overlapMs?: number;
  /** Waits after failures. Default 250 growing to 5000. */
  readonly firstBackoffMs?: number;
  readonly mostBackoffMs?: number;
  /** Start. Default now. */
  readonly startMs?: number;
}

const mostKeys = 10_000;

/**
 * Reads one of the daemon's event streams until the signal aborts. Each event is handled once, also when it shares
 * its timestamp with the last one of the poll before: polls look back a little and drop what is known. A daemon
 * that is away is asked ever more slowly; nothing is lost when it is back.
 */
export async function pollEvents<T extends PolledEvent>(options: PollerOptions<T>): Promise<void> {
  const { signal, waitSeconds = 5, overlapMs = 2000, firstBackoffMs = 250, mostBackoffMs = 5000 } = options;
  const seen = new Set<string>();
  let newest = new Date(options.startMs ?? Date.now()).toISOString();
  let lookBack = true;
  let failures = 0;
  while (!signal.aborted) {
    try {
      if (failures > 0) await options.probe?.();
      const after = lookBack ? earlier(newest, overlapMs) : newest;
      const startMs = performance.now();
      // The look back returns at once when there is anything to see, so it must not wait; the other poll may.
      const events = await options.fetch(after, lookBack ? 0 : waitSeconds);
      if (signal.aborted) return;
      if (failures > 0) options.onSuccess?.();
      failures = 0;
      let fresh = 0;
      for (const event of events) {
        if (Date.parse(event.date) >= Date.parse(newest)) newest = event.date;
        if (seen.has(event.key)) continue;
        remember(seen, event.key);
        fresh += 1;
        options.handle(event);
      }
      // A daemon that does not hold its long polls must not be asked in a tight loop.
      if (!lookBack && fresh === 0 && performance.now() - startMs < 100) await pause(100, signal);
      lookBack = fresh > 0 || !lookBack;
    } catch (error) {
      if (signal.aborted) return;
      options.onFailure?.(error);
      await pause(backoffMs(failures, firstBackoffMs, mostBackoffMs), signal);
      failures += 1;
      lookBack = true;
    }
  }
}

function earlier(date: string, ms: number): string {
  return new Date(Date.parse(date) - ms).toISOString();
}

function remember(seen: Set<string>, key: string): void {
  seen.add(key);
  if (seen.size > mostKeys) seen.delete(seen.values().next().value as string);
}
