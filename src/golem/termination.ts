import type { MeshError } from '../base/errors.js';

/** Why an instance has ended. */
export interface TerminationReason {
  readonly kind: TerminationKind;
  /** For people. */
  readonly message: string;
  /** The error behind it, if there is one. */
  readonly error?: MeshError | undefined;
}

export type TerminationKind =
  /** Its handlers came to their end. */
  | 'finished'
  /** It was told to stop. */
  | 'stopped'
  /** The service's time is over. */
  | 'expired'
  /** Its start handler failed. */
  | 'start-failed'
  /** Its run handler failed; shutdown has run. */
  | 'failed'
  /** No provider was found, or no activity could be created. */
  | 'not-started'
  | 'agreement-terminated'
  | 'activity-gone'
  /** Health checks went unanswered. */
  | 'unresponsive'
  /** Ended from outside without a shutdown. */
  | 'killed'
  /** Left running for somebody else to resume. */
  | 'detached';

/** True for what would fail the same way everywhere: a wrong argument, a bug in a handler. */
export function isCallersFault(reason: TerminationReason): boolean {
  const { error } = reason;
  if (!error) return false;
  const cause = error.cause;
  const isOfBugs = cause instanceof TypeError || cause instanceof ReferenceError || cause instanceof SyntaxError;
  // A failed fetch is a TypeError too, with what failed as its cause; and what was given a code is known to be no bug.
  const isBug = error.code === 'unknown' && isOfBugs && cause.cause === undefined;
  return isBug || ['invalid-argument', 'unauthenticated', 'permission-denied', 'unimplemented'].includes(error.code);
}
