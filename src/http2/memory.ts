/**
 * Bytes that came over a connection. Whoever needs them for longer than the call that brings them holds them; what
 * nobody holds, or everybody has released, may be written over. Holding without an end is fine: it costs an allocation.
 */
export interface Memory {
  readonly bytes: Buffer;
  hold(): void;
  release(): void;
}

/** Bytes that nobody writes over. */
export class OwnMemory implements Memory {
  readonly bytes: Buffer;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  hold(): void {}

  release(): void {}
}

/** Memory that tells when nobody holds it any more, so that it can be used again. */
export class CountedMemory implements Memory {
  readonly bytes: Buffer;
  private readonly onFree: (memory: CountedMemory) => void;
  private holders = 0;

  constructor(bytes: Buffer, onFree: (memory: CountedMemory) => void) {
    this.bytes = bytes;
    this.onFree = onFree;
  }

  get isHeld(): boolean {
    return this.holders > 0;
  }

  hold(): void {
    this.holders += 1;
  }

  release(): void {
    this.holders -= 1;
    if (this.holders === 0) this.onFree(this);
  }
}
