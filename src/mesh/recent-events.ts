import type { MeshEvent } from '../messages/mesh-event.js';
import type { MessageBlock } from '../wire/types.js';

/** Events of one path whose sequences follow each other, as they lay in one piece of memory. */
export interface EventRun {
  readonly block: MessageBlock;
  /** Index in the block's `bounds` at which the first of them stands. */
  readonly from: number;
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

  add(run: EventRun): void {
    const { bounds } = run.block;
    if (bounds.at(-1)! - bounds[run.from]! > maxRunBytes) return;
    if (this.runs.length >= maxRuns) this.runs.shift();
    this.runs.push(run);
  }

  /** The events of a block from its beginning on, as many as another stream has brought; its first one has `sequence`. */
  find({ bytes, bounds }: Pick<MessageBlock, 'bytes' | 'bounds'>, sequence: number): readonly MeshEvent[] {
    const wanted = bounds.length / 2;
    for (let index = this.runs.length - 1; index >= 0; index--) {
      const { block, from, firstSequence, events } = this.runs[index]!;
      const skipped = sequence - firstSequence;
      if (skipped < 0 || skipped >= events.length) continue;
      const count = Math.min(wanted, events.length - skipped);
      const start = from + 2 * skipped;
      const end = block.bounds[start + 2 * count - 1]!;
      // The prefixes between the messages are compared with them.
      if (block.bytes.compare(bytes, bounds[0]!, bounds[2 * count - 1]!, block.bounds[start]!, end) !== 0) continue;
      return count === events.length ? events : events.slice(skipped, skipped + count);
    }
    return [];
  }
}
