import type { BytesRange } from '../messages/mesh-event.js';

/** Some bytes of a larger memory. A `subarray` for each would take longer than copying it. */
export interface BytesPart {
  /** Once for all parts of the memory: to ask a buffer for its memory takes as long as copying, too. */
  readonly view: DataView;
  /** Offsets in the view. */
  readonly start: number;
  readonly end: number;
}

/** A view of just these bytes. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** A part that is all of a buffer. */
export function wholePart(bytes: Uint8Array): BytesPart {
  return { view: viewOf(bytes), start: 0, end: bytes.length };
}

/** A part without bytes. */
export const noBytes: BytesPart = { view: new DataView(new ArrayBuffer(0)), start: 0, end: 0 };

/** Makes parts of ranges; neighbours mostly stand in one buffer, or in buffers of one memory, and share a view. */
export class RangeParts {
  private bytes: Buffer | undefined;
  private offset = 0;
  private view = noBytes.view;

  part({ bytes, start, end }: BytesRange): BytesPart {
    if (bytes !== this.bytes) {
      this.bytes = bytes;
      this.offset = bytes.byteOffset;
      if (this.view.buffer !== bytes.buffer) this.view = new DataView(bytes.buffer);
    }
    return { view: this.view, start: this.offset + start, end: this.offset + end };
  }
}

// What is longer is copied faster by the call than word by word.
const fewBytes = 384;

/** Copies a part to `at` in `target`, which has room; gives the offset behind it. */
export function copyPart({ view, start, end }: BytesPart, target: DataView, at: number): number {
  const length = end - start;
  if (length > fewBytes) {
    bytesOf(target, at, length).set(bytesOf(view, start, length));
    return at + length;
  }
  let from = start;
  let to = at;
  // Four words a turn: half of the time would go into the turns themselves.
  for (; from + 16 <= end; from += 16, to += 16) {
    target.setInt32(to, view.getInt32(from, true), true);
    target.setInt32(to + 4, view.getInt32(from + 4, true), true);
    target.setInt32(to + 8, view.getInt32(from + 8, true), true);
    target.setInt32(to + 12, view.getInt32(from + 12, true), true);
  }
  for (; from + 4 <= end; from += 4, to += 4) target.setInt32(to, view.getInt32(from, true), true);
  for (; from < end; from++, to++) target.setUint8(to, view.getUint8(from));
  return to;
}

function bytesOf(view: DataView, start: number, length: number): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset + start, length);
}

/** The same bytes as a Buffer, for code that does not meet them often. */
export function bufferOf({ view, start, end }: BytesPart): Buffer {
  return Buffer.from(view.buffer, view.byteOffset + start, end - start);
}
