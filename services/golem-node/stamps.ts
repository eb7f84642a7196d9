/**
 * Times of events, as the daemon writes them: UTC with microseconds. They strictly increase, because clients ask for
 * what came after the last time they saw, and would miss a second event of the same microsecond.
 */
export class Stamps {
  #lastUs = 0n;

  next(): string {
    const nowUs = BigInt(Date.now()) * 1000n;
    this.#lastUs = nowUs > this.#lastUs ? nowUs : this.#lastUs + 1n;
    return format(this.#lastUs);
  }
}

function format(microseconds: bigint): string {
  const milliseconds = new Date(Number(microseconds / 1000n)).toISOString().slice(0, -1);
  return `${milliseconds}${String(microseconds % 1000n).padStart(3, '0')}Z`;
}

/** Microseconds since 1970 of an ISO time of any precision, or undefined when it is none. */
export function microsecondsOf(text: string): bigint | undefined {
  const parts = /^(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:?\d\d)?$/.exec(text.trim());
  if (parts === null) return undefined;
  const seconds = Date.parse(`${parts[1]!.replace(' ', 'T')}${parts[3] ?? 'Z'}`);
  if (Number.isNaN(seconds)) return undefined;
  return BigInt(seconds) * 1000n + BigInt((parts[2] ?? '').slice(0, 6).padEnd(6, '0'));
}
