import type { MeshError } from '../base/errors.js';

/** What the exit code of a furrow program says. */
export const exitCodes = {
  ok: 0,
  /** It failed while it ran. */
  failed: 1,
  /** The command line, the configuration or an arg is wrong. */
  usage: 2,
  /** A service that was asked is away, or did not answer in time. */
  away: 3,
  /** A port is in use. */
  portInUse: 4,
} as const;

/** The exit code of a failure. */
export function exitCodeOf(error: MeshError): number {
  switch (error.code) {
    case 'invalid-argument':
    case 'not-found':
    case 'failed-precondition':
      return exitCodes.usage;
    case 'unavailable':
    case 'deadline-exceeded':
      return exitCodes.away;
    case 'already-exists':
      return exitCodes.portInUse;
    default:
      return exitCodes.failed;
  }
}
