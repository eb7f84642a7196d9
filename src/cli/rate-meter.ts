import { type Summary, Window } from './statistics.js';

export interface RateReport {
  /** Events published in the window, as their sequences tell: those that we lost count too. */
  readonly events: number;
  /** Undefined before the second event. */
  readonly rateHz: number | undefined;
  /** Seconds from one event to the next, of neighbours only: a lost event would make one interval of two. */
  readonly intervals: Summary | undefined;
  /** Events that came since the beginning. */
  readonly received: number;
  /** Events that did not, and were asked for. */
  readonly lost: number;
}

/**
 * The rate of one path, from the stamps and sequences of its events. When events arrive, and whether all do, does not
 * change it.
 */
export class RateMeter {
  private readonly seconds: Window;
  private readonly steps: Window;
  private readonly neighbours: Window;
  private readonly everyN: number;
  private last: { readonly sequence: number; readonly stamp: number } | undefined;
  private received = 0;
  private lost = 0;

  /** `everyN`: what the subscription asked for. `window`: intervals kept. */
  constructor({ everyN, window }: { readonly everyN: number; readonly window: number }) {
    this.everyN = Math.max(1, everyN);
    this.seconds = new Window(window);
    this.steps = new Window(window);
    this.neighbours = new Window(window);
  }

  /** `stamp`: when it was sent, in seconds of whatever clock, the same for all events. */
  add(sequence: number, stamp: number): void {
    const { last } = this;
    this.received += 1;
    this.last = { sequence, stamp };
    if (last === undefined) return;
    const step = sequence - last.sequence;
    const seconds = stamp - last.stamp;
    // The publisher was started again, or its machine was: nothing is known of the time between.
    if (step <= 0 || seconds < 0) return;
    this.steps.add(step);
    this.seconds.add(seconds);
    this.lost += Math.round(step / this.everyN) - 1;
    if (step === this.everyN) this.neighbours.add(seconds / step);
  }

  get report(): RateReport {
    const events = this.steps.sum;
    const seconds = this.seconds.sum;
    return {
      events,
      rateHz: seconds > 0 ? events / seconds : undefined,
      intervals: this.neighbours.summary,
      received: this.received,
      lost: this.lost,
    };
  }
}
