import { kernelCode } from './code.js';

// Node's types leave it to those of browsers.
declare const WebAssembly: {
  readonly Memory: new (size: { initial: number; maximum: number }) => { readonly buffer: ArrayBuffer };
  readonly Module: new (code: Uint8Array) => object;
  readonly Instance: new (module: object, imports: Record<string, object>) => { readonly exports: unknown };
};

/** What `record-kernel.wat` exports; places are offsets in the memory. */
interface KernelExports {
  isOf(form: number, length: number, at: number): number;
  addRecord(form: number, length: number, event: number, payload: number, payloadEnd: number, to: number): number;
  addMessages(
    to: number,
    event: number,
    eventEnd: number,
    end: number,
    payloadChannel: number,
    eventChannel: number,
    sequence: number,
    logLow: number,
    logHigh: number,
    publishLow: number,
    publishHigh: number,
  ): number;
}

const pageBytes = 64 * 1024;
const laneBytes = 16;

/**
 * Compares and copies events in WebAssembly, sixteen bytes a turn: several times as fast as JavaScript can. For that they
 * must stand in its memory, which has a fixed size; callers do the same in JavaScript where they do not.
 */
export class RecordKernel {
  /** Writes the two messages of an event: see `record-kernel.wat`. */
  readonly addMessages: KernelExports['addMessages'];
  private readonly exports: KernelExports;
  private readonly memory: ArrayBuffer;
  private readonly capacity: number;
  private used = 0;

  /**
   * Undefined where Node cannot run it: with `--jitless`, and on processors that are older than WebAssembly's vectors.
   * @param bytes Of the memory, of which pages that nobody uses cost nothing.
   */
  static open(bytes: number): RecordKernel | undefined {
    try {
      return new RecordKernel(bytes);
    } catch {
      return undefined;
    }
  }

  /** Errors: where `open` gives undefined. */
  constructor(bytes: number) {
    const pages = Math.ceil(bytes / pageBytes);
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const module = new WebAssembly.Module(Buffer.from(kernelCode, 'base64'));
    this.exports = new WebAssembly.Instance(module, { furrow: { memory } }).exports as KernelExports;
    this.addMessages = this.exports.addMessages;
    this.memory = memory.buffer;
    this.capacity = pages * pageBytes;
  }

  /** So many bytes of the memory, which are never given twice; ordinary memory when none is left. */
  buffer(bytes: number): Buffer {
    const start = this.used;
    // Copying writes up to one lane more than it should.
    const end = start + (Math.ceil(bytes / laneBytes) + 1) * laneBytes;
    if (end > this.capacity) return Buffer.allocUnsafeSlow(bytes);
    this.used = end;
    return Buffer.from(this.memory, start, bytes);
  }

  /** Where in the memory bytes begin; -1 for others. */
  offsetOf({ buffer, byteOffset }: ArrayBufferView): number {
    return buffer === this.memory ? byteOffset : -1;
  }

  /**
   * Makes a form of an event and a mask of its bits that count: which do and which they are, lane by lane, the last of
   * which ends with the event. Gives where it stands; -1 for an event shorter than a lane, and when no memory is left.
   */
  addForm(event: Buffer, mask: Buffer): number {
    const { length } = event;
    if (length < laneBytes) return -1;
    const count = Math.ceil(length / laneBytes);
    const form = this.buffer(2 * laneBytes * count);
    for (let lane = 0; lane < count; lane++) {
      const from = Math.min(lane * laneBytes, length - laneBytes);
      for (let index = 0; index < laneBytes; index++) {
        form[2 * laneBytes * lane + index] = mask[from + index]!;
        form[2 * laneBytes * lane + laneBytes + index] = event[from + index]! & mask[from + index]!;
      }
    }
    return this.offsetOf(form);
  }

  /** Whether the event of `length` bytes at `at` is one of a form of that length. */
  isOf(form: number, length: number, at: number): boolean {
    return this.exports.isOf(form, length, at) === 1;
  }

  /**
   * Writes the record of an event to `to`, if it is one of a form, as `isOf` says; gives whether it is. What stands there
   * in place of it otherwise is to be written over.
   */
  addRecord(form: number, length: number, event: number, payload: number, payloadEnd: number, to: number): boolean {
    return this.exports.addRecord(form, length, event, payload, payloadEnd, to) === 1;
  }
}

/** Gives memory of the kernel; ordinary memory where there is none. */
export function allocatorOf(kernel: RecordKernel | undefined): (bytes: number) => Buffer {
  return (bytes) => kernel?.buffer(bytes) ?? Buffer.allocUnsafeSlow(bytes);
}

/** Where in the kernel's memory views begin; the same one mostly comes many times, and to ask it takes longer than copying. */
export class KernelOffset {
  private view: DataView | undefined;
  private offset = -1;

  constructor(private readonly kernel: RecordKernel | undefined) {}

  /** -1 for one of other memory. */
  of(view: DataView): number {
    if (view !== this.view) {
      this.view = view;
      this.offset = this.kernel?.offsetOf(view) ?? -1;
    }
    return this.offset;
  }
}
