import { CountedMemory, type Memory, OwnMemory } from './memory.js';

// What one read brings at most.
const readBytes = 64 * 1024;
// Less than this is copied out, so that an event that somebody keeps holds little besides itself.
const copyBelowBytes = 32 * 1024;
// What a burst has needed stays for the next one.
const maxFree = 4;

/** Where a connection reads to. Memory is used again as soon as nobody needs what it holds. */
export class ReadMemory {
  private current = this.piece();
  private free: CountedMemory[] = [];

  /** Where the next read goes. */
  get next(): Buffer {
    return this.current.bytes;
  }

  /** Gives `take` what the last read brought. */
  filled(length: number, take: (memory: Memory, length: number) => void): void {
    const { current } = this;
    if (length < copyBelowBytes) {
      take(new OwnMemory(Buffer.from(current.bytes.subarray(0, length))), length);
      return;
    }
    take(current, length);
    if (current.isHeld) this.current = this.free.pop() ?? this.piece();
  }

  private piece(): CountedMemory {
    return new CountedMemory(Buffer.allocUnsafeSlow(readBytes), (piece) => {
      if (piece !== this.current && this.free.length < maxFree) this.free.push(piece);
    });
  }
}
