import { MeshError } from '../base/errors.js';

/** Bytes that `value`, an integer of at least 0 and at most 2^53 - 1, takes as a protobuf varint. */
export function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) size++;
  return size;
}

/** Writes `value` (0 … 2^53 - 1) at `offset`; gives back the offset behind it. */
export function writeVarint(bytes: Uint8Array, offset: number, value: number): number {
  let rest = value;
  let at = offset;
  // Bitwise operators cut to 32 bits, so large values are divided down first.
  while (rest > 0x7fffffff) {
    bytes[at++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  while (rest >= 0x80) {
    bytes[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[at++] = rest;
  return at;
}

/** A position in a buffer that reads protobuf's primitives, each bounded by `end`. */
export class WireCursor {
  constructor(
    public bytes: Buffer,
    public at: number = 0,
    public end: number = bytes.length,
  ) {}

  /** Goes on over other bytes: for readers that read many messages one after the other. */
  over(bytes: Buffer, at: number, end: number): this {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
    return this;
  }

  get done(): boolean {
    return this.at >= this.end;
  }

  /** A varint that fits 32 bits unsigned: tags and lengths. */
  uint32(): number {
    // One or two bytes are the rule; the rest is done elsewhere, so that this stays small enough to be inlined.
    const { bytes, at, end } = this;
    if (at < end) {
      const first = bytes[at]!;
      if (first < 0x80) {
        this.at = at + 1;
        return first;
      }
      if (at + 1 < end) {
        const second = bytes[at + 1]!;
        if (second < 0x80) {
          this.at = at + 2;
          return (first & 0x7f) | (second << 7);
        }
      }
    }
    return this.wideUint32();
  }

  private wideUint32(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      if (this.at >= this.end) throw truncated(this.at);
      const byte = this.bytes[this.at++]!;
      // The fifth byte carries bits 28 and up, which a shift would lose to the sign.
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) {
        if (value > 0xffffffff) break;
        return value;
      }
    }
    throw malformed(`a length or tag of more than 32 bits ends at byte ${this.at}`);
  }

  /** An int64 as a number; one that a number cannot hold exactly is an `out-of-range` error. */
  int64(): number {
    const start = this.at;
    let value = 0;
    let scale = 1;
    for (let count = 0; count < 7; count++) {
      if (this.at >= this.end) throw truncated(this.at);
      const byte = this.bytes[this.at++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 0x80;
    }
    this.at = start;
    return this.wideInt64();
  }

  /** Passes over a length-delimited field; gives where its content starts, `at` being where it ends. */
  skipLength(): number {
    const length = this.uint32();
    const start = this.at;
    if (start + length > this.end) throw truncated(start);
    this.at = start + length;
    return start;
  }

  /** The bytes of a length-delimited field, as bounds in `bytes`. */
  skipBytes(): { start: number; end: number } {
    const start = this.skipLength();
    return { start, end: this.at };
  }

  string(): string {
    const { start, end } = this.skipBytes();
    return this.bytes.toString('utf8', start, end);
  }

  double(): number {
    if (this.at + 8 > this.end) throw truncated(this.at);
    const value = this.bytes.readDoubleLE(this.at);
    this.at += 8;
    return value;
  }

  /** Passes over a field that the reader does not know. */
  skip(wireType: number): void {
    if (wireType === 0) this.skipVarint();
    else if (wireType === 1) this.advance(8);
    else if (wireType === 2) this.skipBytes();
    else if (wireType === 5) this.advance(4);
    else throw malformed(`wire type ${wireType} at byte ${this.at} is not one of protobuf's`);
  }

  private advance(count: number): void {
    if (this.at + count > this.end) throw truncated(this.at);
    this.at += count;
  }

  private skipVarint(): void {
    for (let count = 0; count < 10; count++) {
      if (this.at >= this.end) throw truncated(this.at);
      if (this.bytes[this.at++]! < 0x80) return;
    }
    throw malformed(`a varint of more than 10 bytes ends at byte ${this.at}`);
  }

  private wideVarint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      if (this.at >= this.end) throw truncated(this.at);
      const byte = this.bytes[this.at++]!;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw malformed(`a varint of more than 10 bytes ends at byte ${this.at}`);
  }

  private wideInt64(): number {
    const value = BigInt.asIntN(64, this.wideVarint());
    const number = Number(value);
    if (!Number.isSafeInteger(number)) {
      throw new MeshError(
        'out-of-range',
        `the integer ${value} is beyond 2^53 - 1 and would be rounded; it is refused`,
      );
    }
    return number;
  }
}

function truncated(at: number): MeshError {
  return malformed(`it ends in the middle of a field, at byte ${at}`);
}

function malformed(what: string): MeshError {
  return new MeshError('data-loss', `not a protobuf message: ${what}`);
}
