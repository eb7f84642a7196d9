/**
 * Keeps grpc-js from writing to standard error by itself: what it says there reaches the user as a MeshError, too. It
 * concerns the whole process, so only programs that serve call it, and GRPC_VERBOSITY still has the last word.
 */
export async function quietGrpc(): Promise<void> {
  if (process.env.GRPC_VERBOSITY !== undefined) return;
  const { logVerbosity, setLogVerbosity } = await import('@grpc/grpc-js');
  setLogVerbosity(logVerbosity.NONE);
}
