export const longestBackoffMs = 5000;

/** Waits between attempts: doubling from 100 ms to 5 s, each shortened at random by up to half. */
export function backoffMs(attempt: number): number {
  const ceiling = Math.min(longestBackoffMs, 100 * 2 ** Math.min(attempt, 10));
  // Clients that lost the same service together must not come back together.
  return ceiling * (0.5 + Math.random() / 2);
}
