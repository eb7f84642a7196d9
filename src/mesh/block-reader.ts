import { EnvelopeReader } from '../messages/envelope-reader.js';
import type { EventMemo } from '../messages/event-memo.js';
import { type EventDecoder, type EventOrigin, MeshEvent } from '../messages/mesh-event.js';
import { isPrefix, matchesPath } from '../messages/uri.js';
import type { MessageBlock } from '../wire/types.js';
import type { Gap, SequenceTracker } from './sequence-tracker.js';

export interface BlockReaderOptions {
  /** What was subscribed to. */
  readonly pattern: string;
  readonly tracker: SequenceTracker;
  readonly decoder: EventDecoder;
  readonly memo: EventMemo;
  readonly onGaps: (gaps: readonly Gap[]) => void;
  /** Told of a message that is no event. */
  readonly onBroken: (error: unknown) => void;
}

/** Makes events of the messages of one subscription, and follows their sequences. */
export class BlockReader {
  private readonly options: BlockReaderOptions;
  private readonly reader = new EnvelopeReader();
  /** Length of the URI of an exact path, once an event has shown it. */
  private uriBytes = -1;

  constructor(options: BlockReaderOptions) {
    this.options = options;
  }

  /** Adds the events of a block to `events`, without those that came before. `isFarmNg`: the service has no epochs. */
  read<T>(
    { bytes, bounds }: MessageBlock,
    origin: EventOrigin,
    events: MeshEvent<T>[],
    { isFarmNg }: { readonly isFarmNg: boolean },
  ): void {
    const { reader } = this;
    const { pattern, tracker, decoder, onBroken } = this.options;
    // farm-ng knows no prefixes, and sends everything.
    const filters = isFarmNg && isPrefix(pattern);
    for (let index = 0; index < bounds.length; index += 2) {
      try {
        reader.read(bytes, bounds[index]!, bounds[index + 1]!);
        const path = this.pathOf(bytes);
        const event = MeshEvent.found<T>(reader, bytes, decoder, origin);
        if (isFarmNg || !tracker.follows(path, reader.sequence)) {
          if (filters && !matchesPath(pattern, path)) continue;
          if (!this.isNew(path, event, isFarmNg)) continue;
        }
        events.push(event);
      } catch (error) {
        onBroken(error);
      }
    }
  }

  private isNew(path: string, event: MeshEvent, isFarmNg: boolean): boolean {
    const { tracker, onGaps } = this.options;
    const gaps = tracker.received(path, event.sequence, isFarmNg ? event.eventBytes : undefined);
    if (gaps !== undefined) onGaps(gaps);
    return gaps !== undefined;
  }

  /** The path of the event that was read last. The URIs of an exact path are one, and one of another length is not it. */
  private pathOf(bytes: Buffer): string {
    const { uriStart, uriEnd } = this.reader;
    const { pattern, memo } = this.options;
    const length = uriEnd - uriStart;
    if (length === this.uriBytes) return pattern;
    const { path } = memo.uris.read(bytes, uriStart, uriEnd).uri;
    if (path === pattern) this.uriBytes = length;
    return path;
  }
}
