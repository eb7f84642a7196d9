const word = 0x100000000;

/** A time in nanoseconds since 1970 as a uint64, in two halves: a BigInt for each event would cost more than writing it. */
export class Nanos {
  low = 0;
  high = 0;
  /** The second of the last time, in nanoseconds: events come many to a second. */
  private second = 0;
  private secondLow = 0;
  private secondHigh = 0;

  /** A time before 1970, or none at all, becomes 0. */
  set(seconds: number): void {
    const time = Math.max(seconds, 0);
    const whole = Math.floor(time);
    if (whole !== this.second) this.setSecond(whole);
    const low = this.secondLow + Math.round((time - whole) * 1e9);
    const carries = low >= word;
    this.low = carries ? low - word : low;
    this.high = carries ? this.secondHigh + 1 : this.secondHigh;
  }

  write(view: DataView, at: number): void {
    view.setUint32(at, this.low, true);
    view.setUint32(at + 4, this.high, true);
  }

  /** Gives the seconds that it reads: exactly those that were set when it was written. */
  read(view: DataView, at: number): number {
    this.low = view.getUint32(at, true);
    this.high = view.getUint32(at + 4, true);
    const nanos = (this.high - this.secondHigh) * word + this.low - this.secondLow;
    if (nanos >= 0 && nanos < 1e9) return this.second + nanos / 1e9;
    const { whole, rest } = divided(this.low, this.high);
    this.setSecond(whole);
    return whole + rest / 1e9;
  }

  private setSecond(second: number): void {
    this.second = second;
    // The product has more than 53 bits: it is made of the upper and the lower 16 bits of the second.
    const upper = Math.floor(second / 0x10000) * 1e9;
    const lower = (upper % 0x10000) * 0x10000 + (second % 0x10000) * 1e9;
    this.secondLow = lower % word;
    this.secondHigh = Math.floor(upper / 0x10000) + Math.floor(lower / word);
  }
}

/** Whole seconds of nanoseconds, and the rest: a long division in steps of 16 bits, which a number holds exactly. */
function divided(low: number, high: number): { readonly whole: number; readonly rest: number } {
  const first = Math.floor(high / 1e9);
  const middle = (high - first * 1e9) * 0x10000 + (low >>> 16);
  const second = Math.floor(middle / 1e9);
  const last = (middle - second * 1e9) * 0x10000 + (low & 0xffff);
  const third = Math.floor(last / 1e9);
  return { whole: first * word + second * 0x10000 + third, rest: last - third * 1e9 };
}

/** Seconds of a uint64 of nanoseconds. */
export function secondsOfNanos(nanos: bigint): number {
  return Number(nanos / 1_000_000_000n) + Number(nanos % 1_000_000_000n) / 1e9;
}
