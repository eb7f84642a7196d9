import { MeshError } from '../base/errors.js';

/** The n-th wait (from 0) after failures: doubles from `firstMs` up to `mostMs`. */
export function backoffMs(attempt: number, firstMs: number, mostMs: number): number {
  return Math.min(mostMs, firstMs * 2 ** Math.min(attempt, 30));
}

/** What a signal's reason says, as a MeshError. */
export function abortError(signal: AbortSignal, what: string): MeshError {
  if (signal.reason instanceof MeshError) return signal.reason;
  const timedOut = signal.reason instanceof Error && signal.reason.name === 'TimeoutError';
  return new MeshError(
    timedOut ? 'deadline-exceeded' : 'cancelled',
    `${what} was ${timedOut ? 'too slow' : 'cancelled'}`,
    {
      cause: signal.reason,
    },
  );
}

/** The promise, or the abort of the signal as a rejection, whichever is first. The promise itself goes on. */
export function raceAbort<T>(promise: Promise<T>, signal: AbortSignal | undefined, what: string): Promise<T> {
  if (!signal) return promise;
  return new Promise<T>((resolve, reject) => {
    const onAbort = () => reject(abortError(signal, what));
    if (signal.aborted) {
      promise.catch(() => undefined);
      onAbort();
      return;
    }
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

export interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(error: unknown): void;
}

/** A promise that is settled from outside. Its rejection never counts as unhandled. */
export function deferred<T>(): Deferred<T> {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((res, rej) => {
    resolve = res;
    reject = rej;
  });
  promise.catch(() => undefined);
  return { promise, resolve, reject };
}
