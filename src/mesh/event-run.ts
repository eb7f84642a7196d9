import { type Memory, OwnMemory } from '../http2/memory.js';
import type { MeshEvent } from '../messages/mesh-event.js';
import { frameStarts } from '../wire/frames.js';
import type { KnownFrames, MessageBlock } from '../wire/types.js';

// Their events hold the memory that each has come in.
const maxRunBlocks = 16;

/**
 * Events of one path whose sequences follow each other, and a copy of their frames: those lie in one piece, however they
 * were cut on their way.
 */
export class EventRun {
  readonly bytes: Buffer;
  /** Never written over. */
  readonly memory: Memory;
  readonly firstSequence: number;
  readonly events: MeshEvent[] = [];
  /** Where the frame of each begins, and where the last one ends. */
  readonly starts = [0];
  /** When an event of it was asked for last. */
  usedMs = 0;
  private blocks = 0;

  constructor(size: number, firstSequence: number) {
    this.bytes = Buffer.allocUnsafeSlow(size);
    this.memory = new OwnMemory(this.bytes);
    this.firstSequence = firstSequence;
  }

  get length(): number {
    return this.starts.at(-1)!;
  }

  /** Whether there is room for so many bytes of events, the first of which has `sequence`. */
  takes(sequence: number, bytes: number): boolean {
    const follows = sequence === this.firstSequence + this.events.length;
    return follows && this.blocks < maxRunBlocks && this.length + bytes <= this.bytes.length;
  }

  add(bytes: Buffer, from: number, end: number, events: readonly MeshEvent[]): void {
    const shift = this.length - from;
    bytes.copy(this.bytes, this.length, from, end);
    for (const start of frameStarts(bytes, from, end).slice(1)) this.starts.push(start + shift);
    for (const event of events) this.events.push(event);
    this.blocks += 1;
  }

  /** What it has from `sequence` on; undefined: nothing. */
  from(sequence: number): RestOfRun | undefined {
    const first = sequence - this.firstSequence;
    return first >= 0 && first < this.events.length ? new RestOfRun(this, first) : undefined;
  }

  /** How many of its frames end at `to` or before. */
  endingBy(to: number): number {
    if (to === this.length) return this.events.length;
    let [least, most] = [0, this.events.length];
    while (least < most) {
      const middle = (least + most + 1) >>> 1;
      if (this.starts[middle]! <= to) least = middle;
      else most = middle - 1;
    }
    return least;
  }
}

/** A run, from one of its events on. */
export class RestOfRun implements KnownFrames {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
  private readonly run: EventRun;
  private readonly first: number;

  constructor(run: EventRun, first: number) {
    this.bytes = run.bytes;
    this.start = run.starts[first]!;
    this.end = run.length;
    this.run = run;
    this.first = first;
  }

  blockTo(to: number): RunBlock | undefined {
    const { run, first } = this;
    const behind = run.endingBy(to);
    if (behind <= first) return undefined;
    run.usedMs = performance.now();
    return new RunBlock(run, first, behind);
  }
}

/** Frames of a run, with their events. */
export class RunBlock implements MessageBlock {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
  readonly count: number;
  readonly memory: Memory;
  /** Of the first one. */
  readonly sequence: number;
  readonly events: readonly MeshEvent[];

  constructor(run: EventRun, first: number, behind: number) {
    this.bytes = run.bytes;
    this.start = run.starts[first]!;
    this.end = run.starts[behind]!;
    this.count = behind - first;
    this.memory = run.memory;
    this.sequence = run.firstSequence + first;
    this.events = run.events.slice(first, behind);
  }
}
