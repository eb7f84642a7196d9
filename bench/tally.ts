import { nowMs } from './ends/types.js';

/** What came in while a subscriber was measured. */
export interface Received {
  readonly deliveries: number;
  readonly seconds: number;
  /** CPU seconds of the subscriber's process. */
  readonly cpuSeconds: number;
  /** Milliseconds from the publisher's stamp to here; empty where nothing looked at stamps. */
  readonly latencyMs: { readonly p50: number; readonly p99: number } | null;
}

/** Counts the events of every subscription and checks that each sequence follows the one before. */
export class Tally {
  deliveries = 0;
  /** Sequences left out between others. */
  gaps = 0;
  /** Sequences that came twice or out of order. */
  disorder = 0;
  private readonly next: Float64Array;
  private latencies: number[] | undefined;
  private begun: { deliveries: number; atMs: number; cpu: NodeJS.CpuUsage } | undefined;

  constructor(subscriptions: number) {
    this.next = new Float64Array(subscriptions).fill(-1);
  }

  readonly take = (subscription: number, sequence: number, stampMs: number): void => {
    const expected = this.next[subscription]!;
    if (sequence !== expected && expected >= 0) {
      if (sequence > expected) this.gaps += sequence - expected;
      else {
        this.disorder += 1;
        return;
      }
    }
    this.next[subscription] = sequence + 1;
    this.deliveries += 1;
    if (stampMs > 0 && this.latencies !== undefined) this.latencies.push(nowMs() - stampMs);
  };

  /** Subscriptions that have had an event. */
  get live(): number {
    return this.next.reduce((count, next) => count + (next >= 0 ? 1 : 0), 0);
  }

  begin(): void {
    this.latencies = [];
    this.begun = { deliveries: this.deliveries, atMs: nowMs(), cpu: process.cpuUsage() };
  }

  finish(): Received {
    if (this.begun === undefined) throw new Error('finish without begin');
    const { deliveries, atMs, cpu } = this.begun;
    const used = process.cpuUsage(cpu);
    const seconds = (nowMs() - atMs) / 1e3;
    const received = this.deliveries - deliveries;
    const latencyMs = this.latencies === undefined ? null : percentiles(this.latencies);
    this.latencies = undefined;
    return { deliveries: received, seconds, cpuSeconds: (used.user + used.system) / 1e6, latencyMs };
  }

  /** Events up to sequence `last` that never came, over all subscriptions. */
  missing(last: number): number {
    return this.gaps + this.next.reduce((sum, next) => sum + Math.max(0, last + 1 - Math.max(0, next)), 0);
  }
}

/** Null for no values. */
export function percentiles(values: readonly number[]): { p50: number; p99: number } | null {
  if (values.length === 0) return null;
  const sorted = Float64Array.from(values).sort();
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
  return { p50: at(0.5), p99: at(0.99) };
}
