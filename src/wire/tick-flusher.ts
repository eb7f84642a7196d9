// HTTP/2 sends what streams have ready in turn, a frame of each. The objects of so many streams would at neither end be
// in a cache when the next frame of theirs comes: of them only some have something on its way, and the others gather.
const manyStreams = 256;
const mostUnderWay = 2 << 20;
// Nobody waits long for those whose other end is slow.
const longestWaitMs = 5;
const noBytes: Buffer = Buffer.alloc(0);

/** A stream that has gathered something to write. */
export interface TurnTaker {
  takeTurn(): void;
}

/** Lets the streams of one server write what they gathered once, at the end of the tick, or when it is their turn. */
export class TickFlusher {
  private waiting: TurnTaker[] = [];
  /** How many of them have had their turn. */
  private done = 0;
  /** Whether they take turns. */
  private areMany = false;
  /** Bytes that were written and have not left; those of before the last long wait do not count. */
  private underWay = 0;
  /** Counts the long waits. */
  epoch = 0;
  private wait: NodeJS.Timeout | undefined;
  private last = noBytes;
  private lastFrom: Buffer | undefined;
  private lastStart = 0;

  add(stream: TurnTaker): void {
    if (this.waiting.length === 0) process.nextTick(this.flush);
    this.waiting.push(stream);
  }

  /** Whether streams have to wait until others have written. */
  get isBusy(): boolean {
    return this.areMany && this.underWay >= mostUnderWay;
  }

  /** A stream has written so much; `ended` must follow, however that ends. */
  began(bytes: number): void {
    this.underWay += bytes;
  }

  ended(bytes: number): void {
    this.underWay -= bytes;
    if (this.wait === undefined || this.isBusy) return;
    clearTimeout(this.wait);
    this.wait = undefined;
    this.flush();
  }

  /** A piece of memory. Subscribers mostly ask for the same one in turn. */
  cut(bytes: Buffer, start: number, end: number): Buffer {
    if (bytes !== this.lastFrom || start !== this.lastStart || end - start !== this.last.length) {
      this.last = bytes.subarray(start, end);
      this.lastFrom = bytes;
      this.lastStart = start;
    }
    return this.last;
  }

  private readonly flush = (): void => {
    this.areMany ||= this.waiting.length >= manyStreams;
    while (this.done < this.waiting.length && !this.isBusy) this.waiting[this.done++]!.takeTurn();
    this.lastFrom = undefined;
    this.last = noBytes;
    if (this.done < this.waiting.length) this.wait = setTimeout(this.waited, longestWaitMs);
    else this.areMany = false;
    // When as many have had their turn as wait for it, to move these costs little for each.
    if (2 * this.done < this.waiting.length) return;
    this.waiting = this.waiting.slice(this.done);
    this.done = 0;
  };

  private readonly waited = (): void => {
    this.wait = undefined;
    this.underWay = 0;
    this.epoch += 1;
    this.flush();
  };
}
