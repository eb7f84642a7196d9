import type { MeshEvent } from '../messages/mesh-event.js';
import { frameStarts } from '../wire/frames.js';
import type { MessageBlock } from '../wire/types.js';

/** Events of one path whose sequences follow each other, as their frames lie in one piece of memory. */
interface EventRun {
  readonly bytes: Buffer;
  /** Where the frame of each begins, and where the last one ends. */
  readonly starts: readonly number[];
  readonly firstSequence: number;
  readonly events: readonly MeshEvent[];
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

// As far as one subscription of a process is behind another, as a rule.
const maxRuns = 32;
// Larger ones would be held for longer than their events live.
const maxRunBytes = 128 * 1024;

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
    if (end - from > maxRunBytes) return;
    if (this.runs.length >= maxRuns) this.runs.shift();
    this.runs.push({ bytes, starts: frameStarts(bytes, from, end), firstSequence: events[0]!.sequence, events });
  }

  /**
   * The events of a block, the first of which has `sequence`, as far as other streams have brought them. Those were cut
   * elsewhere on their way, so that several runs may make one block.
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
      const { bytes, starts, firstSequence, events } = this.runs[index]!;
      const first = sequence - firstSequence;
      if (first < 0 || first >= events.length) continue;
      const behind = Math.min(first + left, events.length);
      const start = starts[first]!;
      const end = from + starts[behind]! - start;
      if (end > block.end || bytes.compare(block.bytes, from, end, start, starts[behind]) !== 0) continue;
      return { events: behind - first === events.length ? events : events.slice(first, behind), end };
    }
    return undefined;
  }
}
