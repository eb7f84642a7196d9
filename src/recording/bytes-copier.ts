/** Some bytes of a buffer. A `subarray` for each would take longer than copying it. */
export interface BytesPart {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

/** All of a buffer. */
export function wholeOf(bytes: Buffer): BytesPart {
  return { bytes, start: 0, end: bytes.length };
}

// What is longer is copied faster by the call than word by word.
const fewBytes = 384;

/** Copies many small pieces out of buffers that neighbours share: a `subarray` and a call for each would take longer. */
export class BytesCopier {
  /** Over the buffer that was copied from last. */
  private source: DataView = new DataView(new ArrayBuffer(0));

  /** Copies a part to `at` in `target`, which has room; gives the offset behind it. */
  copy({ bytes, start, end }: BytesPart, target: DataView, at: number): number {
    const length = end - start;
    if (length > fewBytes) {
      const piece = new Uint8Array(bytes.buffer, bytes.byteOffset + start, length);
      new Uint8Array(target.buffer, target.byteOffset + at, length).set(piece);
      return at + length;
    }
    if (this.source.buffer !== bytes.buffer) this.source = new DataView(bytes.buffer);
    const { source } = this;
    let from = bytes.byteOffset + start;
    let to = at;
    const last = bytes.byteOffset + end;
    // Four words a turn: half of the time would go into the turns themselves.
    for (; from + 16 <= last; from += 16, to += 16) {
      target.setInt32(to, source.getInt32(from, true), true);
      target.setInt32(to + 4, source.getInt32(from + 4, true), true);
      target.setInt32(to + 8, source.getInt32(from + 8, true), true);
      target.setInt32(to + 12, source.getInt32(from + 12, true), true);
    }
    for (; from + 4 <= last; from += 4, to += 4) target.setInt32(to, source.getInt32(from, true), true);
    for (; from < last; from++, to++) target.setUint8(to, source.getUint8(from));
    return to;
  }
}
