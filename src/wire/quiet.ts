import { logVerbosity, setLogVerbosity } from '@grpc/grpc-js';

/**
 * Keeps grpc-js from writing to standard error by itself: what it says there reaches the user as a MeshError, too. It
 * concerns the whole process, so only programs call it, and GRPC_VERBOSITY still has the last word.
 */
export function quietGrpc(): void {
  if (process.env.GRPC_VERBOSITY === undefined) setLogVerbosity(logVerbosity.NONE);
}
