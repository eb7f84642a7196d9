/**
 * What the publisher of one event waits for: the subscribers that have no room for it. One for all of them, since a
 * thousand promises for each event would cost more than the event.
 */
export class PublishWait {
  /** By a clock that no correction of the time of day can move. */
  readonly sinceMs = performance.now();
  /** How many lost the event while it waited. */
  readonly lost: Promise<number>;
  private resolve!: (lost: number) => void;
  /** Whoever adds the others counts as one. */
  private left = 1;
  private lostCount = 0;

  constructor() {
    this.lost = new Promise((resolve) => {
      this.resolve = resolve;
    });
  }

  add(): void {
    this.left += 1;
  }

  /** All subscribers were added. */
  seal(): void {
    this.settle(true);
  }

  /** One of them has room for the event now, or will never have. */
  settle(kept: boolean): void {
    if (!kept) this.lostCount += 1;
    this.left -= 1;
    if (this.left === 0) this.resolve(this.lostCount);
  }
}
