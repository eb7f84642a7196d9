import { MeshError } from '../base/errors.js';

/** Errors: `cancelled`, with what the signal was aborted with as its cause. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new MeshError('cancelled', 'reading was stopped', { cause: signal.reason });
}
