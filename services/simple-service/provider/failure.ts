/**
 * A failure that the user of these programs can act on: `message` says what is wrong, where, and what to do.
 * The programs run inside a VM image without the rest of furrow, so they bring their own error class.
 */
export class Failure extends Error {
  override readonly name = 'Failure';
}

/** Message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
