import { CountedMemory, type Memory } from '../http2/memory.js';

// One is filled while what lies in another is taken, and messages of two lengths may come in turn.
const mostFree = 4;
// What a message leaves empty is held for as long as somebody keeps it.
const largestWaste = 2;

/**
 * Where large messages that came in pieces are put together. What is released serves the next one: to allocate a
 * megabyte for each costs V8 as much as all the rest, since it collects garbage every 64 MB.
 */
export class MessageMemory {
  private free: Buffer[] = [];

  /** Room for `length` bytes, at the beginning of the memory. */
  take(length: number): Memory {
    return new CountedMemory(this.room(length), ({ bytes }) => this.recycle(bytes));
  }

  private room(length: number): Buffer {
    const fits = this.free.findIndex((free) => free.length >= length && free.length <= largestWaste * length);
    if (fits !== -1) return this.free.splice(fits, 1)[0]!;
    // Where memory comes back, the next frame of a camera may be a little longer.
    return Buffer.allocUnsafeSlow(this.free.length === 0 ? length : length + (length >> 3));
  }

  private recycle(bytes: Buffer): void {
    this.free.push(bytes);
    if (this.free.length > mostFree) this.free.shift();
  }
}
