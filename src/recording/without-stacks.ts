/**
 * What `run` gives, its errors made without their stacks: for reading damage, which may be wrong a million times, and
 * where a stack would take ten times as long as all the rest and be looked at by nobody.
 */
export function withoutStacks<T>(run: () => T): T {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return run();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}
