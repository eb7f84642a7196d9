/**
 * Lets a publisher that awaits its events, but never anything slower, take turns with the network. Its loop runs on
 * promises that are resolved already, so without a real wait now and then no event would leave the process and
 * every queue would overflow.
 */
export class TurnLimit {
  private readonly most: number;
  private count = 0;
  private turn: Promise<void> | undefined;

  /** @param most Events in a row before the next one waits for a turn of the event loop. */
  constructor(most: number) {
    this.most = most;
  }

  /** Counts an event. Undefined: go on; else wait for this. */
  take(): Promise<void> | undefined {
    this.count += 1;
    if (this.count < this.most) return undefined;
    this.turn ??= new Promise((resolve) => {
      setImmediate(() => {
        this.count = 0;
        this.turn = undefined;
        resolve();
      });
    });
    return this.turn;
  }
}
