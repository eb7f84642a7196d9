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

  /** The events of a block from its beginning on, as many as another stream has brought; its first one has `sequence`. */
  find(block: MessageBlock, sequence: number): readonly MeshEvent[] {
    for (let index = this.runs.length - 1; index >= 0; index--) {
      const { bytes, starts, firstSequence, events } = this.runs[index]!;
      const skipped = sequence - firstSequence;
      if (skipped < 0 || skipped >= events.length) continue;
      const count = Math.min(block.count, events.length - skipped);
      const start = starts[skipped]!;
      const end = starts[skipped + count]!;
      const blockEnd = block.start + end - start;
      if (blockEnd > block.end || bytes.compare(block.bytes, block.start, blockEnd, start, end) !== 0) continue;
      return count === events.length ? events : events.slice(skipped, skipped + count);
    }
    return [];
  }
}
