import { MeshError } from '../base/errors.js';
import { pause } from '../base/pause.js';
import { backoffMs } from './signals.js';

/**
 * Makes a call again while the daemon does not answer, `forMs` (default 3000) at most. For calls that end something:
 * making them twice does no harm, and not at all would leave it behind.
 */
export async function whileAway<T>(call: () => Promise<T>, forMs = 3000): Promise<T> {
  const endMs = performance.now() + forMs;
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await call();
    } catch (error) {
      const waitMs = backoffMs(attempt, 50, 1000);
      const isAway = error instanceof MeshError && error.code === 'unavailable';
      if (!isAway || performance.now() + waitMs > endMs) throw error;
      await pause(waitMs);
    }
  }
}
