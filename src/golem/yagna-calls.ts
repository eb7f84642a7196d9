import { Deadline } from '../base/deadline.js';
import { MeshError, type MeshErrorCode } from '../base/errors.js';
import { pause } from '../base/pause.js';
import type { CallOptions } from './daemon.js';
import { abortError, backoffMs } from './signals.js';

interface Cancelable<T> extends Promise<T> {
  cancel(): void;
}

/** Runs one REST call of the SDK with a deadline, and turns whatever it throws into a MeshError that names the call. */
export async function callYagna<T>(
  what: string,
  call: CallOptions | undefined,
  start: () => Cancelable<T>,
  codes: Readonly<Record<number, MeshErrorCode>> = {},
): Promise<T> {
  using deadline = new Deadline(call?.timeoutMs ?? 30_000, call?.signal);
  const { signal } = deadline;
  try {
    if (signal.aborted) throw abortError(signal, what);
    const request = start();
    signal.addEventListener('abort', () => request.cancel(), { once: true });
    return await request;
  } catch (error) {
    if (signal.aborted) throw abortError(signal, what);
    throw yagnaError(what, error, codes);
  }
}

const codeOfStatus: Readonly<Record<number, MeshErrorCode>> = {
  400: 'failed-precondition',
  401: 'unauthenticated',
  403: 'permission-denied',
  404: 'not-found',
  408: 'deadline-exceeded',
  409: 'aborted',
  410: 'not-found',
  429: 'resource-exhausted',
  501: 'unimplemented',
  502: 'unavailable',
  503: 'unavailable',
  504: 'deadline-exceeded',
};

function yagnaError(what: string, error: unknown, codes: Readonly<Record<number, MeshErrorCode>>): MeshError {
  if (error instanceof MeshError) return error;
  const status = statusOf(error);
  if (status === undefined) {
    return new MeshError('unavailable', `The golem daemon did not answer (${what}): ${rootMessage(error)}`, {
      cause: error,
    });
  }
  const code = codes[status] ?? codeOfStatus[status] ?? 'internal';
  return new MeshError(code, `The golem daemon answered ${status} to ${what}: ${bodyMessage(error)}`, { cause: error });
}

/** HTTP status of an SDK error, or of the MeshError made of it. */
export function statusOf(error: unknown): number | undefined {
  if (error instanceof MeshError) return statusOf(error.cause);
  const status = (error as { status?: unknown } | undefined)?.status;
  return typeof status === 'number' ? status : undefined;
}

function bodyMessage(error: unknown): string {
  const body = (error as { body?: unknown }).body;
  if (typeof body === 'string' && body !== '') return body;
  const message = (body as { message?: unknown } | undefined)?.message;
  if (typeof message === 'string') return message;
  return error instanceof Error ? error.message : String(error);
}

// fetch says only "fetch failed"; what failed is in its cause.
function rootMessage(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  const { message, code } = cause as { message?: string; code?: string };
  return message || code || String(error);
}

/**
 * Makes a call again while the daemon refuses the connection, `forMs` at most. Only then is it certain that the call
 * has not been made already.
 */
export async function whileRefused<T>(call: () => Promise<T>, forMs: number, signal?: AbortSignal): Promise<T> {
  const endMs = performance.now() + forMs;
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await call();
    } catch (error) {
      if (!wasRefused(error) || signal?.aborted || performance.now() > endMs) throw error;
      await pause(backoffMs(attempt, 100, 2000), signal);
    }
  }
}

function wasRefused(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false;
  const { code, cause } = error as { code?: unknown; cause?: unknown };
  return code === 'ECONNREFUSED' || wasRefused(cause);
}
