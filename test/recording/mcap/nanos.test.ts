import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Nanos, secondsOfNanos } from '../../../src/recording/mcap/nanos.js';

it('nanoseconds come back as the very seconds that they were made of', () => {
  const nanos = new Nanos();
  const read = new Nanos();
  const view = new DataView(new ArrayBuffer(8));
  let last = 1e8;
  fc.assert(
    fc.property(fc.double({ min: 1e8, max: 9e9, noNaN: true }), fc.boolean(), (any, isSoon) => {
      // Times of one second, too, which are read another way.
      const seconds = isSoon ? Math.floor(last) + (any % 1) : any;
      last = seconds;
      nanos.set(seconds);
      nanos.write(view, 0);
      expect(read.read(view, 0)).toBe(seconds);
      const exact = view.getBigUint64(0, true);
      expect(secondsOfNanos(exact)).toBe(seconds);
      expect(Math.abs(Number(exact - BigInt(Math.floor(seconds)) * 1_000_000_000n) / 1e9 - (seconds % 1))).toBeLessThan(
        1e-6,
      );
    }),
  );
});

it('times that MCAP has no room for become 0', () => {
  const nanos = new Nanos();
  for (const seconds of [-1, Number.NaN, Number.NEGATIVE_INFINITY]) {
    const view = new DataView(new ArrayBuffer(8));
    nanos.set(seconds);
    nanos.write(view, 0);
    expect(view.getBigUint64(0, true)).toBe(0n);
  }
});
