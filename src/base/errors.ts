/**
 * The closed set of error codes. They are gRPC's status names in kebab case, so that nothing is lost between
 * a handler that throws and the caller that catches, whatever language either is written in.
 * Source: https://grpc.github.io/grpc/core/md_doc_statuscodes.html
 */
export const meshErrorCodes = [
  'cancelled',
  'unknown',
  'invalid-argument',
  'deadline-exceeded',
  'not-found',
  'already-exists',
  'permission-denied',
  'resource-exhausted',
  'failed-precondition',
  'aborted',
  'out-of-range',
  'unimplemented',
  'internal',
  'unavailable',
  'data-loss',
  'unauthenticated',
] as const;

export type MeshErrorCode = (typeof meshErrorCodes)[number];

/** One thing that is wrong with an input of many parts, such as a configuration file. */
export interface Fault {
  /** Where: a JSON path such as `configs[2].subscriptions[0]`, a file, or a service path. */
  readonly at: string;
  /** What was found there, and what to do. */
  readonly message: string;
}

export interface MeshErrorOptions {
  /** The error underneath, kept as it was. */
  readonly cause?: unknown;
  /** Every fault of an input that was checked as a whole. */
  readonly faults?: readonly Fault[];
}

/**
 * The only error class that furrow throws. `message` says what was wrong, where, and what to do;
 * `code` is what a program decides by.
 */
export class MeshError extends Error {
  override readonly name = 'MeshError';
  readonly code: MeshErrorCode;
  readonly faults: readonly Fault[];

  constructor(code: MeshErrorCode, message: string, options: MeshErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.faults = options.faults ?? [];
  }

  /** Gives back a MeshError unchanged and wraps anything else, with `code` (default `unknown`). */
  static from(error: unknown, code: MeshErrorCode = 'unknown'): MeshError {
    if (error instanceof MeshError) return error;
    const message = error instanceof Error ? error.message : String(error);
    return new MeshError(code, message, { cause: error });
  }
}
