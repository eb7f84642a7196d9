import type { MeshEvent } from '../messages/mesh-event.js';
import type { MessageBlock } from '../wire/types.js';
import { EventRun, type RestOfRun } from './event-run.js';

// As far as one subscription of a process is behind another, as a rule, and what a stream gathers.
const maxRuns = 6;
const maxRunBytes = 128 * 1024;
const leastRunBytes = 4096;
// What nobody asks for any more only costs the garbage collector time.
const keptMs = 20;

/** What is known of a block, from its beginning on. */
export interface KnownEvents {
  /** One behind the other. */
  readonly parts: readonly (readonly MeshEvent[])[];
  readonly count: number;
  /** Where in the block the frame behind them begins. */
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

  /** What other streams have brought from `sequence` on, in one piece. */
  from(sequence: number): RestOfRun | undefined {
    for (let index = this.runs.length - 1; index >= 0; index--) {
      const rest = this.runs[index]!.from(sequence);
      if (rest !== undefined) return rest;
    }
    return undefined;
  }

  /**
   * The events of a block, the first of which has `sequence`, as far as other streams have brought them. Where one run
   * ends another may go on.
   */
  find({ bytes, start, end: blockEnd }: MessageBlock, sequence: number): KnownEvents {
    const parts: (readonly MeshEvent[])[] = [];
    let count = 0;
    let end = start;
    while (end < blockEnd) {
      const rest = this.from(sequence + count);
      if (rest === undefined) break;
      const length = Math.min(rest.end - rest.start, blockEnd - end);
      const to = rest.start + length;
      const known = rest.bytes.compare(bytes, end, end + length, rest.start, to) === 0 ? rest.blockTo(to) : undefined;
      if (known === undefined) break;
      parts.push(known.events);
      count += known.count;
      end += length;
    }
    return { parts, count, end };
  }
}
