import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { histogram } from '../../services/simple-service/provider/histogram.js';
import { statistics } from '../../services/simple-service/provider/statistics.js';
import { timeBuckets } from '../../services/simple-service/provider/time-buckets.js';

const values = fc.array(fc.double({ noNaN: true, min: -1e9, max: 1e9 }), { minLength: 1, maxLength: 200 });
const extremes = fc.array(fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.constantFrom(-5e-324, 0)), {
  minLength: 1,
  maxLength: 200,
});

describe('statistics', () => {
  it('gives the population figures', () => {
    expect(statistics([2, 4, 4, 4, 5, 5, 7, 9])).toEqual({
      min: 2,
      max: 9,
      median: 4.5,
      mean: 5,
      variance: 4,
      'std dev': 2,
      size: 8,
    });
    expect(statistics([3]).variance).toBe(0);
  });

  it('keeps its digits far from zero', () => {
    expect(statistics([1e9 + 1, 1e9 + 2, 1e9 + 3]).variance).toBeCloseTo(2 / 3, 9);
  });

  it('stays within the values', () => {
    fc.assert(
      fc.property(values, (list) => {
        const { min, max, median, mean, variance } = statistics(list);
        expect(median! >= min! && median! <= max!).toBe(true);
        expect(mean! >= min! - 1e-3 && mean! <= max! + 1e-3).toBe(true);
        expect(variance! >= 0).toBe(true);
      }),
    );
  });
});

describe('histogram', () => {
  it('counts every value once, in neighbouring bins of a bounded number', () => {
    fc.assert(
      fc.property(extremes, (list) => {
        const bins = histogram(list);
        expect(bins.every(({ from, to }) => Number.isFinite(from) && Number.isFinite(to))).toBe(true);
        expect(bins.reduce((sum, { count }) => sum + count, 0)).toBe(list.length);
        expect(bins.length).toBeLessThanOrEqual(62);
        // Quotients are rounded, so a value may lie beside its bin by next to nothing.
        const slack = (bins[0]!.to - bins[0]!.from) * 1e-9 + 1e-300;
        expect(bins[0]!.from - slack <= Math.min(...list) && bins.at(-1)!.to + slack >= Math.max(...list)).toBe(true);
      }),
    );
  });

  it('puts equal values into one bin of width 1', () => {
    expect(histogram([5, 5, 5])).toEqual([{ from: 5, to: 6, count: 3 }]);
  });
});

describe('time buckets', () => {
  it('keeps extremes and cuts to the room there is', () => {
    fc.assert(
      fc.property(values, fc.integer({ min: 1, max: 50 }), (list, most) => {
        const buckets = timeBuckets(
          list.map((val) => ({ val, time_added: '2026-01-01 00:00:00' })),
          most,
        );
        expect(buckets.length).toBeLessThanOrEqual(most);
        expect(Math.min(...buckets.map(({ low }) => low))).toBe(Math.min(...list));
        expect(Math.max(...buckets.map(({ high }) => high))).toBe(Math.max(...list));
      }),
    );
  });
});
