import type { Clock } from '../base/clock.js';

export interface TestClockOptions {
  /** Host name of the clocks. Default `test-host`. */
  readonly host?: string;
  /** Where the monotonic clock stands, in seconds. Default 1000. */
  readonly monotonic?: number;
  /** Unix time at which the system clock stands, in seconds. Default 1,700,000,000. */
  readonly system?: number;
}

/** Clocks that stand still until they are moved by hand. */
export class TestClock implements Clock {
  readonly host: string;
  readonly monotonicName: string;
  readonly systemName: string;
  private monotonicSeconds: number;
  private systemSeconds: number;

  constructor({ host = 'test-host', monotonic = 1000, system = 1_700_000_000 }: TestClockOptions = {}) {
    this.host = host;
    this.monotonicName = `${host}/monotonic`;
    this.systemName = `${host}/system_clock/UTC`;
    this.monotonicSeconds = monotonic;
    this.systemSeconds = system;
  }

  monotonic(): number {
    return this.monotonicSeconds;
  }

  system(): number {
    return this.systemSeconds;
  }

  /** Moves both clocks on. */
  advance(seconds: number): void {
    this.monotonicSeconds += seconds;
    this.systemSeconds += seconds;
  }

  /** Sets the time of day, which can go back; the monotonic clock stays. */
  setSystem(seconds: number): void {
    this.systemSeconds = seconds;
  }
}
