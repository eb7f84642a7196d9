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
