import type { Memory } from '../http2/memory.js';

interface Piece {
  readonly memory: Memory;
  readonly start: number;
  readonly end: number;
}

/** What one read has brought of a stream, piece behind piece, and how far it is taken. Holds no memory. */
export class StreamPieces {
  private readonly pieces: Piece[] = [];
  private index = 0;
  /** Bytes taken of the piece at hand. */
  private taken = 0;

  add(memory: Memory, start: number, end: number): void {
    this.pieces.push({ memory, start, end });
  }

  get isTaken(): boolean {
    return this.index === this.pieces.length;
  }

  /** Takes what stands, byte for byte, in `bytes` from `start` on, to `end` at most; gives how far that is. */
  takeLike(bytes: Buffer, start: number, end: number): number {
    let at = start;
    while (at < end && !this.isTaken) {
      const piece = this.pieces[this.index]!;
      const from = piece.start + this.taken;
      const length = Math.min(piece.end - from, end - at);
      if (piece.memory.bytes.compare(bytes, at, at + length, from, from + length) !== 0) break;
      at += length;
      this.taken += length;
      if (from + length === piece.end) this.next();
    }
    return at;
  }

  /** Takes the rest. */
  takeEach(take: (memory: Memory, start: number, end: number) => void): void {
    while (!this.isTaken) {
      const { memory, start, end } = this.pieces[this.index]!;
      const from = start + this.taken;
      this.next();
      take(memory, from, end);
    }
  }

  private next(): void {
    this.index += 1;
    this.taken = 0;
  }
}
