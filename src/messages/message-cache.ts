// More than a subscription of the same path is behind another one of the same process, as a rule.
const slots = 256;
// Larger payloads would be held for longer than their events live.
const mostPayloadBytes = 16 * 1024;

interface Entry {
  readonly type: string;
  readonly sequence: number;
  readonly payload: Buffer;
  readonly message: unknown;
}

/**
 * The messages that several subscriptions of a process look at: each is decoded once. Two payloads are one when they
 * have one type, one sequence and the same bytes, so nothing that a publisher does can mix messages up.
 */
export class MessageCache {
  private readers = 0;
  private entries: (Entry | undefined)[] = [];

  /** A subscription begins. With one alone nothing is kept. */
  join(): void {
    this.readers += 1;
  }

  leave(): void {
    this.readers -= 1;
    if (this.readers < 2) this.entries = [];
  }

  read(type: string, sequence: number, payload: Buffer, decode: () => unknown): unknown {
    if (this.readers < 2 || payload.length > mostPayloadBytes) return decode();
    const slot = Math.abs(sequence) % slots;
    const entry = this.entries[slot];
    if (entry !== undefined && entry.sequence === sequence && entry.type === type && entry.payload.equals(payload)) {
      return entry.message;
    }
    const message = decode();
    this.entries[slot] = { type, sequence, payload, message };
    return message;
  }
}
