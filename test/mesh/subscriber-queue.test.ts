import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ByteBudget, type Offer, SubscriberQueue } from '../../src/mesh/subscriber-queue.js';
import { encodedEvent } from './encoded-event.js';

const event = (sequence: number, size: number) => encodedEvent('/x', sequence, Buffer.alloc(size));

/** The same queue, written down without care for speed. */
class Model {
  held: { sequence: number; size: number }[] = [];
  dropped = 0;

  constructor(
    readonly depth: number,
    readonly overflow: string,
    readonly maxBytes: number,
    readonly budget: { used: number; limit: number },
  ) {}

  get bytes(): number {
    return this.held.reduce((sum, { size }) => sum + size, 0);
  }

  fits(size: number): boolean {
    if (this.held.length === 0 && this.budget.used === 0) return true;
    return (
      this.budget.used + size <= this.budget.limit && (this.held.length === 0 || this.bytes + size <= this.maxBytes)
    );
  }

  offer(sequence: number, size: number): Offer {
    if (this.overflow === 'block') {
      if (!this.fits(size)) return 'overrun';
      this.push(sequence, size);
      // Half of the bytes is for those that wait.
      return this.held.length > this.depth || this.bytes * 2 > this.maxBytes ? 'waiting' : 'queued';
    }
    if (this.held.length < this.depth && this.fits(size)) {
      this.push(sequence, size);
      return 'queued';
    }
    if (this.overflow !== 'drop-newest') {
      while (this.held.length > 0 && (this.held.length >= this.depth || !this.fits(size))) {
        this.shift();
        this.dropped += 1;
      }
      if (this.fits(size)) {
        this.push(sequence, size);
        return 'dropped';
      }
    }
    this.dropped += 1;
    return 'dropped';
  }

  push(sequence: number, size: number): void {
    this.held.push({ sequence, size });
    this.budget.used += size;
  }

  shift(): number | undefined {
    const first = this.held.shift();
    this.budget.used -= first?.size ?? 0;
    return first?.sequence;
  }
}

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('offer' as const), size: fc.integer({ min: 0, max: 60 }) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('shift' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('clear' as const) }) },
  // What another queue of the service takes and gives back.
  { weight: 1, arbitrary: fc.record({ do: fc.constant('other' as const), size: fc.integer({ min: 0, max: 60 }) }) },
);

test('does what a simple model of it does', () => {
  const setting = fc.record({
    depth: fc.integer({ min: 1, max: 6 }),
    overflow: fc.constantFrom('drop-oldest' as const, 'drop-newest' as const, 'latest' as const, 'block' as const),
    maxBytes: fc.integer({ min: 10, max: 150 }),
    limit: fc.integer({ min: 10, max: 200 }),
  });
  fc.assert(
    fc.property(setting, fc.array(step, { maxLength: 200 }), ({ depth, overflow, maxBytes, limit }, steps) => {
      const quality = { depth: overflow === 'latest' ? 1 : depth, overflow, blockMs: 1000 };
      const budget = new ByteBudget(limit);
      const queue = new SubscriberQueue(quality, maxBytes, budget);
      const model = new Model(quality.depth, overflow, maxBytes, { used: 0, limit });
      let others = 0;
      for (const [sequence, action] of steps.entries()) {
        if (action.do === 'offer') {
          expect(queue.offer(event(sequence, action.size))).toBe(model.offer(sequence, action.size));
        } else if (action.do === 'shift') {
          expect(queue.shift()?.sequence).toBe(model.shift());
        } else if (action.do === 'clear') {
          const held = model.held.map((one) => one.sequence);
          while (model.held.length > 0) model.shift();
          expect(queue.clear().map((one) => one.sequence)).toEqual(held);
        } else {
          budget.used += action.size - others;
          model.budget.used += action.size - others;
          others = action.size;
        }
        expect(queue.length).toBe(model.held.length);
        expect(queue.queuedBytes).toBe(model.bytes);
        expect(queue.dropped).toBe(model.dropped);
        expect(budget.used).toBe(model.bytes + others);
        if (overflow !== 'block') expect(queue.length).toBeLessThanOrEqual(quality.depth);
        if (queue.length > 1) expect(queue.queuedBytes).toBeLessThanOrEqual(maxBytes);
      }
    }),
  );
});

test('keeps its order and its bounds over far more events than it holds', () => {
  const budget = new ByteBudget(1e9);
  const queue = new SubscriberQueue({ depth: 100, overflow: 'drop-oldest', blockMs: 1000 }, 1e9, budget);
  for (let sequence = 0; sequence < 10_000; sequence++) queue.offer(event(sequence, 10));
  const left: number[] = [];
  for (let one = queue.shift(); one !== undefined; one = queue.shift()) left.push(one.sequence);
  expect(left).toEqual(Array.from({ length: 100 }, (_, index) => 9900 + index));
  expect(queue.dropped).toBe(9900);
  expect(budget.used).toBe(0);
});
