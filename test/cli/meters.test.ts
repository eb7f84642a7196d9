import { describe, expect, it } from 'vitest';
import type { Clock } from '../../src/base/clock.js';
import { BandwidthMeter } from '../../src/cli/bw.js';
import { DelayMeter } from '../../src/cli/delay.js';
import { HzMeter } from '../../src/cli/hz.js';
import { RateMeter } from '../../src/cli/rate-meter.js';
import { Window } from '../../src/cli/statistics.js';
import { showBytes, showRate, showSeconds } from '../../src/cli/units.js';
import { event } from '../operators/events.js';

const everything = { everyN: 0, window: 1000 };

function rateOf(stamps: readonly (readonly [sequence: number, stamp: number])[], options = everything) {
  const meter = new RateMeter(options);
  for (const [sequence, stamp] of stamps) meter.add(sequence, stamp);
  return meter.report;
}

describe('the rate', () => {
  it('comes from the stamps of sending', () => {
    const { rateHz, intervals, received, lost } = rateOf([
      [5, 10],
      [6, 10.1],
      [7, 10.3],
      [8, 10.4],
    ]);
    expect(rateHz).toBeCloseTo(7.5);
    expect(intervals?.min).toBeCloseTo(0.1);
    expect(intervals?.max).toBeCloseTo(0.2);
    expect(intervals?.mean).toBeCloseTo(0.4 / 3);
    expect({ received, lost }).toEqual({ received: 4, lost: 0 });
  });

  it('is not changed by events that were lost', () => {
    const whole = rateOf(Array.from({ length: 101 }, (_, index) => [index, index / 50]));
    const holed = rateOf([0, 1, 2, 30, 31, 77, 100].map((index) => [index, index / 50]));
    expect(holed.rateHz).toBeCloseTo(whole.rateHz ?? 0);
    expect(holed.intervals?.max).toBeCloseTo(1 / 50);
    expect(holed.lost).toBe(94);
  });

  it('is that of the publisher where only every n-th event was asked for', () => {
    const { rateHz, lost } = rateOf(
      [0, 10, 20, 40].map((index) => [index, index / 50]),
      { everyN: 10, window: 100 },
    );
    expect(rateHz).toBeCloseTo(50);
    expect(lost).toBe(1);
  });

  it('survives a restart of the publisher', () => {
    const { rateHz } = rateOf([
      [100, 1],
      [101, 1.1],
      [0, 9],
      [1, 9.1],
    ]);
    expect(rateHz).toBeCloseTo(10);
  });

  it('looks at the newest events only', () => {
    const slow = Array.from({ length: 20 }, (_, index): [number, number] => [index, index]);
    const fast = Array.from({ length: 10 }, (_, index): [number, number] => [20 + index, 19.01 + index / 100]);
    expect(rateOf([...slow, ...fast], { everyN: 0, window: 5 }).rateHz).toBeCloseTo(100);
  });

  it('is unknown before the second event', () => {
    expect(rateOf([[0, 1]]).rateHz).toBeUndefined();
  });

  it('of events is read from their monotonic stamps, wherever those stand', () => {
    const meter = new HzMeter(everything);
    for (const sequence of [0, 1, 2]) {
      const timestamps = [
        { stamp: 5, clockName: 'robot/monotonic', semantics: 'driver/receive' },
        { stamp: 1e9 - sequence, clockName: 'robot/system_clock/UTC', semantics: 'service/send' },
        { stamp: sequence / 4, clockName: 'robot/monotonic', semantics: 'service/send' },
      ];
      meter.add(event({ sequence, timestamps }));
    }
    expect(meter.json).toMatchObject({ rateHz: 4, received: 3, lost: 0 });
  });
});

describe('the bandwidth', () => {
  it('counts lost events at the size of the others', () => {
    const meter = new BandwidthMeter(everything);
    for (const sequence of [0, 1, 4]) {
      const timestamps = [{ stamp: sequence / 10, clockName: 'here/monotonic', semantics: 'service/send' }];
      meter.add(event({ sequence, timestamps, type: 'x', payload: new Uint8Array(1000) }));
    }
    const { bytesPerSecond, meanBytes, lost } = meter.json as Record<string, number>;
    expect(meanBytes).toBeGreaterThan(1000);
    expect(bytesPerSecond).toBeCloseTo(10 * (meanBytes ?? 0));
    expect(lost).toBe(2);
  });
});

describe('the delay', () => {
  const clock: Clock = {
    host: 'here',
    monotonicName: 'here/monotonic',
    systemName: 'here/system_clock/UTC',
    monotonic: () => 0,
    system: () => 0,
  };
  const options = { from: 'service/send', window: 100 };

  it('is measured within one clock', () => {
    const meter = new DelayMeter(options, clock);
    for (const delay of [0.001, 0.002, 0.003]) {
      meter.add(
        event({
          timestamps: [
            { stamp: 7, clockName: 'here/system_clock/UTC', semantics: 'service/send' },
            { stamp: 100, clockName: 'here/monotonic', semantics: 'service/send' },
            { stamp: 100 + delay, clockName: 'here/monotonic', semantics: 'client/receive' },
          ],
        }),
      );
    }
    expect(meter.isBlind).toBe(false);
    const { minS, meanS, maxS, measured } = meter.json as Record<string, number>;
    expect([minS, meanS, maxS].map((seconds) => (seconds ?? 0).toFixed(6))).toEqual([
      '0.001000',
      '0.002000',
      '0.003000',
    ]);
    expect(measured).toBe(3);
  });

  it('says why there is none between two machines', () => {
    const meter = new DelayMeter(options, clock);
    meter.add(
      event({
        timestamps: [
          { stamp: 100, clockName: 'robot/monotonic', semantics: 'service/send' },
          { stamp: 200, clockName: 'here/monotonic', semantics: 'client/receive' },
        ],
      }),
    );
    expect(meter.isBlind).toBe(true);
    expect(meter.text).toMatch(/^no delay: service\/send was read from robot\/monotonic, and we read here\/monotonic/);
  });

  it('says which stamps there are when the one asked for is not', () => {
    const meter = new DelayMeter({ ...options, from: 'driver/receive' }, clock);
    meter.add(event({ timestamps: [{ stamp: 1, clockName: 'here/monotonic', semantics: 'service/send' }] }));
    expect(meter.text).toMatch(/no driver\/receive stamp; theirs are service\/send/);
  });
});

describe('a window', () => {
  it('keeps the newest measurements and sums them up', () => {
    const window = new Window(4);
    expect(window.summary).toBeUndefined();
    for (const value of [1000, 1, 2, 3, 4]) window.add(value);
    expect(window.summary).toEqual({ count: 4, min: 1, mean: 2.5, max: 4, std: Math.sqrt(1.25), p50: 2, p99: 4 });
  });
});

describe('units', () => {
  it('are those that people read', () => {
    expect([2e-6, 0.0123, 0.887, 1.5, 300, 9000].map(showSeconds)).toEqual([
      '2 µs',
      '12.3 ms',
      '887 ms',
      '1.50 s',
      '5 min',
      '2.5 h',
    ]);
    expect([0, 0.02, 1, 50.04, 12_345.6].map(showRate)).toEqual([
      '0 Hz',
      'one every 50.0 s',
      '1.00 Hz',
      '50.0 Hz',
      '12345.6 Hz',
    ]);
    expect([12, 1500, 2_250_000, 3e9].map(showBytes)).toEqual(['12 B', '1.50 kB', '2.25 MB', '3.00 GB']);
  });
});
