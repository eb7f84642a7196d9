import type { Memory } from '../http2/memory.js';

// One is filled while what lies in the other is taken.
const mostFree = 2;

/**
 * Where large messages that came in pieces are put together. What is released serves the next one: to allocate a
 * megabyte for each costs V8 as much as all the rest, since it collects garbage every 64 MB.
 */
export class MessageMemory {
  private free: Buffer[] = [];

  /** Room for `length` bytes, at the beginning of the memory. */
  take(length: number): Memory {
    return new Room(this.room(length), (released) => this.recycle(released));
  }

  private room(length: number): Buffer {
    const free = this.free.pop();
    if (free === undefined) return Buffer.allocUnsafeSlow(length);
    if (free.length >= length) return free;
    // The next frame of a camera may be a little longer.
    return Buffer.allocUnsafeSlow(length + (length >> 3));
  }

  private recycle(bytes: Buffer): void {
    if (this.free.length < mostFree) this.free.push(bytes);
  }
}

class Room implements Memory {
  readonly bytes: Buffer;
  private readonly recycle: (bytes: Buffer) => void;
  private holders = 0;

  constructor(bytes: Buffer, recycle: (bytes: Buffer) => void) {
    this.bytes = bytes;
    this.recycle = recycle;
  }

  hold(): void {
    this.holders += 1;
  }

  release(): void {
    this.holders -= 1;
    if (this.holders === 0) this.recycle(this.bytes);
  }
}
