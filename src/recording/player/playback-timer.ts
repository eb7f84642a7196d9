/** What a player waits by: a clock that only goes forward, and waits that end by it. */
export interface PlaybackTimer {
  /** Seconds since whenever. */
  nowS(): number;
  /** Resolves at `atS`, or as soon as the signal aborts. */
  waitUntil(atS: number, signal: AbortSignal): Promise<void>;
}

// Timers count whole milliseconds. Turning the event loop for the last third of one halves the mean lateness and costs
// little; turning it for the last whole one keeps a core busy at 1,000 events/s.
const turningS = 0.0003;

/** Waits by timers, and by turns of the event loop at the end: late by about half a millisecond, never early. */
export function playbackTimer(): PlaybackTimer {
  return { nowS, waitUntil };
}

function nowS(): number {
  return performance.now() / 1000;
}

async function waitUntil(atS: number, signal: AbortSignal): Promise<void> {
  for (let leftS = atS - nowS(); leftS > 0 && !signal.aborted; leftS = atS - nowS()) {
    await (leftS > turningS ? timer(leftS, signal) : new Promise<void>((resolve) => setImmediate(resolve)));
  }
}

// A longer one would overflow and fire at once; the loop above waits again.
const longestMs = 2 ** 31 - 1;

function timer(leftS: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timeout);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timeout = setTimeout(done, Math.min(longestMs, Math.max(1, Math.floor(leftS * 1000))));
    signal.addEventListener('abort', done, { once: true });
  });
}
