/** What is counted of one path. */
export interface PathTotals {
  readonly count: number;
  readonly payloadBytes: number;
  /** Unix seconds. */
  readonly firstS: number;
  readonly lastS: number;
  /** Events that are not there between others that are. */
  readonly missing: number;
}

/** Counts the events of one path, and those that its sequence shows to be missing. */
export class PathTally implements PathTotals {
  count = 0;
  payloadBytes = 0;
  firstS = Number.POSITIVE_INFINITY;
  lastS = 0;
  missing = 0;
  private lastSequence = 0;

  add(sequence: number, timeS: number, payloadBytes: number): void {
    if (timeS < this.firstS) this.firstS = timeS;
    if (timeS > this.lastS) this.lastS = timeS;
    // One that goes back is of a publisher that began again.
    if (this.count > 0 && sequence > this.lastSequence + 1) this.missing += sequence - this.lastSequence - 1;
    this.lastSequence = sequence;
    this.count++;
    this.payloadBytes += payloadBytes;
  }

  get totals(): PathTotals {
    const { count, payloadBytes, firstS, lastS, missing } = this;
    return { count, payloadBytes, firstS, lastS, missing };
  }
}
