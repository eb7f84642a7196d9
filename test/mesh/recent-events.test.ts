import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BlockReader } from '../../src/mesh/block-reader.js';
import { RecentEvents } from '../../src/mesh/recent-events.js';
import { type Gap, SequenceTracker } from '../../src/mesh/sequence-tracker.js';
import { EnvelopeReader } from '../../src/messages/envelope-reader.js';
import { EventMemo } from '../../src/messages/event-memo.js';
import type { MeshEvent } from '../../src/messages/mesh-event.js';
import { TypeRegistry } from '../../src/messages/registry.js';
import { FrameReader } from '../../src/wire/frame-reader.js';
import { frameStarts } from '../../src/wire/frames.js';
import { StreamPieces } from '../../src/wire/stream-pieces.js';
import type { KnownFrames, MessageBlock } from '../../src/wire/types.js';
import { frameOf, replyOf } from '../interop/raw-http2.js';

const registry = new TypeRegistry();
const reader = new EnvelopeReader();
const largeBytes = 140_000;
const frames = new Map<string, Buffer>();

/** The frame of an event. Those of every second epoch are alike; one is no event at all, and one is large. */
function frame(path: string, epoch: number, sequence: number): Buffer {
  const key = `${path} ${epoch % 2} ${sequence}`;
  let made = frames.get(key);
  if (made === undefined) {
    const payload = sequence === 11 ? Buffer.alloc(largeBytes, 1) : Buffer.from(key);
    made = frameOf(sequence === 17 ? Buffer.from('0aff', 'hex') : replyOf(path, sequence, payload));
    frames.set(key, made);
  }
  return made;
}

/** Frames as they lie in what a connection has read; memory that is released is written over. */
function blockOf(messages: readonly Buffer[], offset: number): { block: MessageBlock; isReleased: () => boolean } {
  const bytes = Buffer.concat([Buffer.alloc(offset, 0xee), ...messages, Buffer.alloc(3, 0xee)]);
  const end = bytes.length - 3;
  let holders = 1;
  const memory = {
    bytes,
    hold: () => {
      holders += 1;
    },
    release: () => {
      holders -= 1;
      expect(holders).toBeGreaterThanOrEqual(0);
      if (holders === 0) bytes.fill(0xdd);
    },
  };
  return { block: { bytes, start: offset, end, count: messages.length, memory }, isReleased: () => holders === 0 };
}

class Reader {
  readonly events: MeshEvent[] = [];
  /** What it has told, in order. */
  readonly said: unknown[] = [];
  private readonly tracker: SequenceTracker;
  private readonly blocks: BlockReader;
  private readonly recent: RecentEvents;

  constructor(pattern: string, everyN: number, recent: RecentEvents) {
    this.tracker = new SequenceTracker('agent-1', everyN);
    this.recent = recent;
    recent.join();
    const memo = new EventMemo();
    this.blocks = new BlockReader({
      reader,
      pattern,
      tracker: this.tracker,
      decoder: { registry, unknownType: () => undefined, memo },
      memo,
      onGaps: (gaps: readonly Gap[]) => this.said.push(...gaps),
      onBroken: (error) => this.said.push(String(error)),
    });
  }

  connect(first: ReadonlyMap<string, number>, restarted: boolean): void {
    this.said.push(...this.tracker.connected(new Map(first), restarted));
  }

  read(block: MessageBlock, isFarmNg = false): readonly MeshEvent[] {
    const origin = () => ({ publisher: 'agent-1' });
    const events = this.blocks.read([block], { origin, isFarmNg, recent: this.recent }).flat();
    this.events.push(...events);
    this.said.push(events.length);
    return events;
  }

  expected(count: number): KnownFrames | undefined {
    const origin = () => ({ publisher: 'agent-1' });
    return this.blocks.expected({ origin, isFarmNg: false, recent: this.recent }, count);
  }

  /** All that a program can see. */
  get seen(): { readonly events: readonly string[]; readonly said: readonly unknown[]; readonly next: unknown } {
    const events = this.events.map(({ path, sequence, type, eventBytes, payload }) => {
      const head = `${path} ${sequence} ${type} ${eventBytes.toString('hex')} ${payload.length}`;
      return `${head} ${payload.subarray(0, 40)}`;
    });
    return { events, said: this.said, next: [...this.tracker.next] };
  }
}

const paths = ['/a', '/b', '/long/name'];

const step = fc.record({
  reader: fc.nat(2),
  what: fc.oneof(
    {
      weight: 25,
      arbitrary: fc.record({
        kind: fc.constant('read' as const),
        /** Where it goes on, against what it had last; 0 as a rule. */
        jump: fc.oneof(
          { weight: 20, arbitrary: fc.constant(0) },
          { weight: 1, arbitrary: fc.integer({ min: -4, max: 4 }) },
        ),
        count: fc.integer({ min: 1, max: 9 }),
        offset: fc.nat(20),
        /** Index of a message that is missing. */
        missing: fc.option(fc.nat(8), { nil: -1, freq: 15 }),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('connect' as const), restarted: fc.boolean(), first: fc.nat(12) }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('rejoin' as const) }) },
  ),
});

test.each(['/a', '*'])('subscriptions to %s that share what they bring see what each would see alone', (pattern) => {
  let reused = 0;
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 80, size: 'max' }),
      fc.array(fc.constantFrom(0, 0, 0, 2), { minLength: 3, maxLength: 3 }),
      fc.array(fc.constantFrom(false, false, false, true), { minLength: 3, maxLength: 3 }),
      fc.constantFrom(false, false, true),
      (steps, everyN, isFarmNg, isStrange) => {
        let isEmpty = false;
        const recent = new RecentEvents(() => {
          isEmpty = true;
        });
        const shared = everyN.map((n) => new Reader(pattern, n, recent));
        const alone = everyN.map((n) => new Reader(pattern, n, new RecentEvents(() => undefined)));
        const at = everyN.map(() => ({ epoch: 0, next: 0 }));
        for (const { reader, what } of steps) {
          const place = at[reader]!;
          const pair = [shared[reader]!, alone[reader]!];
          if (what.kind === 'rejoin') {
            recent.leave();
            recent.join();
          } else if (what.kind === 'connect') {
            if (what.restarted) {
              place.epoch += 1;
              place.next = 0;
            }
            const known = pattern === '*' ? paths : [pattern];
            const first = new Map([...known.map((path) => [path, what.first] as const), ['*', 0] as const]);
            for (const one of pair) one.connect(first, what.restarted);
          } else {
            const from = Math.max(0, place.next + what.jump);
            const messages = Array.from({ length: what.count }, (_, index) => from + index)
              .filter((_, index) => index !== what.missing)
              .map((index) => {
                // Of several paths, each goes on for a while.
                if (pattern === '*') return frame(paths[Math.floor(index / 3) % 3]!, place.epoch, index);
                // A service that sends what nobody asked for.
                const others = isStrange ? Math.floor(index / 4) : 0;
                if (isStrange && index % 4 === 3) return frame('/long/name', place.epoch, others);
                return frame(pattern, place.epoch, index - others);
              });
            place.next = from + what.count;
            if (messages.length === 0) continue;
            for (const one of pair) {
              const { block, isReleased } = blockOf(messages, what.offset);
              one.read(block, isFarmNg[reader]);
              if (isReleased()) expect(one).toBe(shared[reader]);
            }
          }
        }
        for (const [index, one] of shared.entries()) expect(one.seen).toEqual(alone[index]!.seen);
        const events = shared.flatMap((one) => one.events);
        reused += events.length - new Set(events).size;
        for (const _ of shared) recent.leave();
        expect(isEmpty).toBe(true);
      },
    ),
    { numRuns: 150 },
  );
  if (pattern === '/a') expect(reused).toBeGreaterThan(100);
  else expect(reused).toBe(0);
});

/** The stream of a subscription, and what reads it. */
class Stream {
  readonly reader: Reader;
  private frames!: FrameReader;
  private readonly bytes: Buffer;
  private at = 0;
  private messages = 0;

  constructor(reader: Reader, messages: readonly Buffer[]) {
    this.reader = reader;
    this.bytes = Buffer.concat(messages);
    this.connect();
  }

  /** The link is new: what was cut comes again. */
  connect(): void {
    this.frames = new FrameReader(2 * largeBytes);
    this.at = frameStarts(this.bytes, 0, this.bytes.length)[this.messages]!;
    this.reader.connect(new Map([['*', 0]]), false);
  }

  /** Reads on, in pieces; gives how often their memory was held. */
  read(length: number, cut: number): number {
    let held = 0;
    const pieces = new StreamPieces();
    const end = Math.min(this.at + length, this.bytes.length);
    while (this.at < end) {
      const bytes = Buffer.from(this.bytes.subarray(this.at, Math.min(this.at + cut, end)));
      this.at += bytes.length;
      let holders = 0;
      const hold = (): void => {
        holders += 1;
        held += 1;
      };
      const release = (): void => {
        holders -= 1;
        if (holders === 0) bytes.fill(0xdd);
      };
      pieces.add({ bytes, hold, release }, 0, bytes.length);
    }
    const blocks: MessageBlock[] = [];
    this.frames.readAll(pieces, (count) => this.reader.expected(count), blocks);
    for (const block of blocks) {
      this.messages += block.count;
      this.reader.read(block);
    }
    return held;
  }

  get seen(): unknown {
    const { said, ...seen } = this.reader.seen;
    // In how many parts the events come depends on what is shared; what is said of them does not.
    return { ...seen, said: said.filter((one) => typeof one !== 'number') };
  }
}

test('streams that share what they bring give what each would alone, however they are cut', () => {
  let reused = 0;
  const length = fc.oneof(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 1500 }));
  fc.assert(
    fc.property(
      /** What is missing in each, from where on it is of another epoch, and where it begins. */
      fc.array(fc.record({ missing: fc.array(fc.nat(30), { maxLength: 2 }), turns: fc.nat(60), begins: fc.nat(4) }), {
        minLength: 3,
        maxLength: 3,
      }),
      fc.array(fc.record({ stream: fc.nat(2), length, cut: length, connects: fc.integer({ min: 0, max: 12 }) }), {
        maxLength: 120,
        size: 'max',
      }),
      (places, reads) => {
        const recent = new RecentEvents(() => undefined);
        const open = (shared: boolean) =>
          places.map(({ missing, turns, begins }) => {
            const sequences = Array.from({ length: 30 - begins }, (_, index) => begins + index);
            const sent = sequences.filter((sequence) => !missing.includes(sequence));
            const messages = sent.map((sequence) => frame('/a', sequence < turns ? 0 : 1, sequence));
            return new Stream(new Reader('/a', 0, shared ? recent : new RecentEvents(() => undefined)), messages);
          });
        const shared = open(true);
        const alone = open(false);
        for (const { stream, length, cut, connects } of [...reads, ...[0, 1, 2].map(all)]) {
          for (const one of [shared, alone]) {
            if (connects === 1) one[stream]!.connect();
            one[stream]!.read(length, cut);
          }
        }
        for (const [index, one] of shared.entries()) expect(one.seen).toEqual(alone[index]!.seen);
        const events = shared.flatMap(({ reader }) => reader.events);
        reused += events.length - new Set(events).size;
      },
    ),
    { numRuns: 100 },
  );
  expect(reused).toBeGreaterThan(100);
});

const all = (stream: number) => ({ stream, length: 1e6, cut: 16_384, connects: 0 });

test('of a stream that brings what another has brought nothing is held, though each of its frames is cut', () => {
  const recent = new RecentEvents(() => undefined);
  const messages = Array.from({ length: 10 }, (_, sequence) => frame('/a', 0, sequence));
  const open = () => new Stream(new Reader('/a', 0, recent), messages);
  const [first, second] = [open(), open()];
  // Both have had an event, and are where they stand.
  for (const stream of [first, second]) stream.read(frame('/a', 0, 0).length + 7, 1e6);
  expect(first.read(1e6, 1e6)).toBe(1);
  expect(second.read(1e6, 10)).toBe(0);
  expect(second.reader.events.slice(1)).toEqual(first.reader.events.slice(1));
  expect(second.reader.events.slice(1).every((event, index) => event === first.reader.events[1 + index])).toBe(true);
});

test('what another has brought is neither made nor kept again, however it is cut', () => {
  const recent = new RecentEvents(() => undefined);
  const [first, second, third] = [0, 1, 2].map(() => new Reader('/a', 0, recent)) as [Reader, Reader, Reader];
  const all = Array.from({ length: 10 }, (_, sequence) => frame('/a', 0, sequence));
  const read = (reader: Reader, from: number, to: number) => {
    const { block, isReleased } = blockOf(all.slice(from, to), from);
    return { events: reader.read(block), isReleased: isReleased() };
  };
  for (const reader of [first, second, third]) {
    reader.connect(new Map([['*', 0]]), false);
    read(reader, 0, 1);
  }
  const made = read(first, 1, 7);
  expect(made.isReleased).toBe(false);
  expect(read(second, 1, 3)).toEqual({ events: made.events.slice(0, 2), isReleased: true });
  // The end of one run, and what the first has not seen.
  const further = read(second, 3, 10);
  expect(further.isReleased).toBe(false);
  expect(further.events.slice(0, 4).every((event, index) => event === made.events[2 + index])).toBe(true);
  const last = read(first, 7, 10);
  expect(last.isReleased).toBe(true);
  expect(last.events.every((event, index) => event === further.events[4 + index])).toBe(true);
  // Two runs make one block.
  const whole = read(third, 1, 10);
  expect(whole.isReleased).toBe(true);
  expect(whole.events).toEqual([...made.events, ...last.events]);
});
