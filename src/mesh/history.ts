import type { EncodedEvent } from './encoded-event.js';

/** The last events of one path, for subscribers that come back: at most `depth` of them and `maxBytes` in all. */
export class History {
  private readonly ring: (EncodedEvent | undefined)[];
  private readonly maxBytes: number;
  private start = 0;
  private count = 0;
  private bytes = 0;

  constructor(depth: number, maxBytes: number) {
    this.ring = new Array(depth);
    this.maxBytes = maxBytes;
  }

  add(event: EncodedEvent): void {
    if (this.ring.length === 0) return;
    while (this.count > 0 && (this.count === this.ring.length || this.bytes + event.size > this.maxBytes)) {
      this.bytes -= this.ring[this.start]!.size;
      this.ring[this.start] = undefined;
      this.start = (this.start + 1) % this.ring.length;
      this.count -= 1;
    }
    this.ring[(this.start + this.count) % this.ring.length] = event;
    this.count += 1;
    this.bytes += event.size;
  }

  clear(): void {
    this.ring.fill(undefined);
    this.start = 0;
    this.count = 0;
    this.bytes = 0;
  }

  /** The events held whose sequence is at least `next`, oldest first. */
  from(next: number): EncodedEvent[] {
    const events: EncodedEvent[] = [];
    for (let index = 0; index < this.count; index++) {
      const event = this.ring[(this.start + index) % this.ring.length]!;
      if (event.sequence >= next) events.push(event);
    }
    return events;
  }
}
