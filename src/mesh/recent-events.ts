import type { MeshEvent } from '../messages/mesh-event.js';
import { frameStarts } from '../wire/frames.js';
import type { MessageBlock } from '../wire/types.js';

// As far as one subscription of a process is behind another, as a rule, and what a stream gathers.
const maxRuns = 6;
const maxRunBytes = 128 * 1024;
const maxRunBlocks = 16;
const leastRunBytes = 4096;
// What nobody asks for any more only costs the garbage collector time.
const keptMs = 20;

/**
 * Events of one path whose sequences follow each other, and a copy of their frames: those lie in one piece, however they
 * were cut on their way.
 */
class EventRun {
  readonly bytes: Buffer;
  readonly firstSequence: number;
  readonly events: MeshEvent[] = [];
  /** Where the frame of each begins, and where the last one ends. */
  readonly starts = [0];
  /** When an event of it was asked for last. */
  usedMs = 0;
  private blocks = 0;

  constructor(size: number, firstSequence: number) {
    this.bytes = Buffer.allocUnsafeSlow(size);
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
}

/** What is known of a block, from its beginning on. */
export interface KnownEvents {
  /** One behind the other. */
  readonly parts: readonly (readonly MeshEvent[])[];
  readonly count: number;
  /** Where in the block the frame behind them begins. */
  readonly end: number;
}

interface KnownPart {
  readonly events: readonly MeshEvent[];
  readonly end: number;
}

/**
 * What the subscriptions of one client to one path have in common. Each has a stream of its own, but what the others
 * bring is, byte for byte, what the first has brought: it is looked for as a whole, and then neither read nor decoded
 * again. With one subscription nothing is kept.
 */
export class RecentEvents {
  private subscriptions = 0;
  /** The newest last. */
  private runs: EventRun[] = [];
  private readonly onEmpty: () => void;

  /** @param onEmpty Called when the last subscription has left. */
  constructor(onEmpty: () => void) {
    this.onEmpty = onEmpty;
  }

  join(): void {
    this.subscriptions += 1;
  }

  leave(): void {
    this.subscriptions -= 1;
    if (this.subscriptions < 2) this.runs = [];
    if (this.subscriptions === 0) this.onEmpty();
  }

  get isShared(): boolean {
    return this.subscriptions > 1;
  }

  /** Takes the events of a block whose frames stand from `from` on, and whose sequences follow each other. */
  add({ bytes, end }: MessageBlock, from: number, events: readonly MeshEvent[]): void {
    const length = end - from;
    if (length > maxRunBytes) return;
    const { sequence } = events[0]!;
    let run = this.runs.at(-1);
    if (run === undefined || !run.takes(sequence, length)) {
      const usual = Math.min(maxRunBytes, 2 * (run?.length ?? 0));
      run = new EventRun(Math.max(length, usual, leastRunBytes), sequence);
      this.runs.push(run);
    }
    run.add(bytes, from, end, events);
    const nowMs = performance.now();
    run.usedMs = nowMs;
    while (this.runs.length > maxRuns || this.runs[0]!.usedMs < nowMs - keptMs) this.runs.shift();
  }

  /**
   * The events of a block, the first of which has `sequence`, as far as other streams have brought them. Where one run
   * ends another may go on.
   */
  find(block: MessageBlock, sequence: number): KnownEvents {
    const parts: (readonly MeshEvent[])[] = [];
    let count = 0;
    let end = block.start;
    while (end < block.end) {
      const part = this.findPart(block, end, sequence + count, block.count - count);
      if (part === undefined) break;
      parts.push(part.events);
      count += part.events.length;
      end = part.end;
    }
    return { parts, count, end };
  }

  /** Those of the `left` events from `from` on that one run has. */
  private findPart(block: MessageBlock, from: number, sequence: number, left: number): KnownPart | undefined {
    for (let index = this.runs.length - 1; index >= 0; index--) {
      const run = this.runs[index]!;
      const { bytes, starts, firstSequence, events } = run;
      const first = sequence - firstSequence;
      if (first < 0 || first >= events.length) continue;
      const behind = Math.min(first + left, events.length);
      const start = starts[first]!;
      const end = from + starts[behind]! - start;
      if (end > block.end || bytes.compare(block.bytes, from, end, start, starts[behind]) !== 0) continue;
      run.usedMs = performance.now();
      return { events: events.slice(first, behind), end };
    }
    return undefined;
  }
}
