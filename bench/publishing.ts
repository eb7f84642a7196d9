import { setTimeout as delay } from 'node:timers/promises';
import { nowMs, type PublisherEnd } from './ends/types.js';

/** What went out while a publisher was measured. */
export interface Sent {
  readonly events: number;
  readonly seconds: number;
  /** CPU seconds of the publisher's process. */
  readonly cpuSeconds: number;
}

/** Publishes as fast as the subject lets it, or at a steady rate, until stopped. */
export class Publishing {
  private readonly end: PublisherEnd;
  private running = false;
  private loop: Promise<void> = Promise.resolve();
  private begun: { last: number; atMs: number; cpu: NodeJS.CpuUsage } | undefined;

  constructor(end: PublisherEnd) {
    this.end = end;
  }

  /** `rateHz` 0 is as fast as it goes. */
  start(rateHz: number): void {
    this.running = true;
    this.loop = rateHz === 0 ? this.flood() : this.pace(rateHz);
    this.loop.catch((error) => {
      process.stderr.write(`bench publisher: ${String(error)}\n`);
      process.exit(1);
    });
  }

  begin(): void {
    this.begun = { last: this.end.last, atMs: nowMs(), cpu: process.cpuUsage() };
  }

  finish(): Sent {
    if (this.begun === undefined) throw new Error('finish without begin');
    const { last, atMs, cpu } = this.begun;
    const used = process.cpuUsage(cpu);
    return {
      events: this.end.last - last,
      seconds: (nowMs() - atMs) / 1e3,
      cpuSeconds: (used.user + used.system) / 1e6,
    };
  }

  /** Stops and gives the sequence of the last event. */
  async stop(): Promise<number> {
    this.running = false;
    // A publisher that is held by a subscriber which reads no more must not hold the bench too.
    await Promise.race([this.loop, delay(2_000, undefined, { ref: false })]);
    return this.end.last;
  }

  /** So many events, and the loop let go after every 50, as a program with other things to do would. */
  async burst(events: number): Promise<void> {
    for (let sent = 0; sent < events; sent++) {
      const wait = this.end.publish(0);
      if (wait !== undefined) await wait;
      if (sent % 50 === 49) await new Promise((resolve) => setImmediate(resolve));
    }
  }

  private async flood(): Promise<void> {
    while (this.running) {
      const wait = this.end.publish(0);
      if (wait !== undefined) await wait;
    }
  }

  /** Wakes every millisecond and publishes what is due; each event carries the moment of waking. */
  private async pace(rateHz: number): Promise<void> {
    const startMs = nowMs();
    let sent = 0;
    while (this.running) {
      await delay(1);
      const wokenMs = nowMs();
      const due = Math.floor(((wokenMs - startMs) * rateHz) / 1e3);
      while (sent < due && this.running) {
        const wait = this.end.publish(wokenMs);
        sent += 1;
        if (wait !== undefined) await wait;
      }
    }
  }
}
