import type { EnvelopeReader } from '../messages/envelope-reader.js';
import type { EventMemo } from '../messages/event-memo.js';
import { type EventDecoder, type EventOrigin, MeshEvent } from '../messages/mesh-event.js';
import { isPrefix, matchesPath } from '../messages/uri.js';
import { frameEnd, framePrefixBytes } from '../wire/frames.js';
import type { KnownFrames, MessageBlock } from '../wire/types.js';
import { RunBlock } from './event-run.js';
import type { KnownEvents, RecentEvents } from './recent-events.js';
import type { Gap, SequenceTracker } from './sequence-tracker.js';

export interface BlockReaderOptions {
  /** Of the client: what it finds is looked at before the next stream is read. */
  readonly reader: EnvelopeReader;
  /** What was subscribed to. */
  readonly pattern: string;
  readonly tracker: SequenceTracker;
  readonly decoder: EventDecoder;
  readonly memo: EventMemo;
  readonly onGaps: (gaps: readonly Gap[]) => void;
  /** Told of a message that is no event. */
  readonly onBroken: (error: unknown) => void;
}

/** Where blocks come from. */
export interface BlockSource {
  /** What the receiver knows of their events; asked where events are made. */
  readonly origin: () => EventOrigin;
  /** The service has no epochs. */
  readonly isFarmNg: boolean;
  /** What the subscriptions of the client to this pattern bring, where they share it. */
  readonly recent: RecentEvents | undefined;
}

/** Makes events of the messages of one subscription, and follows their sequences. */
export class BlockReader {
  private readonly options: BlockReaderOptions;
  private readonly reader: EnvelopeReader;
  /** Length of the URI of an exact path, once an event has shown it. */
  private uriBytes = -1;

  constructor(options: BlockReaderOptions) {
    this.options = options;
    this.reader = options.reader;
  }

  /** The events of blocks in parts, none of them empty, without those that came before. */
  read<T>(blocks: readonly MessageBlock[], source: BlockSource): readonly (readonly MeshEvent<T>[])[] {
    const parts: (readonly MeshEvent<T>[])[] = [];
    for (const block of blocks) this.readBlock(block, source, parts);
    return parts;
  }

  /** What other subscriptions have brought, and what comes next here behind `count` messages that nobody has read yet. */
  expected(source: BlockSource, count: number): KnownFrames | undefined {
    const shared = sharedBy(source);
    if (shared === undefined) return undefined;
    const { tracker, pattern } = this.options;
    const next = tracker.expected(pattern);
    return next === undefined ? undefined : shared.from(next + count);
  }

  private readBlock<T>(block: MessageBlock, source: BlockSource, parts: (readonly MeshEvent<T>[])[]): void {
    const { origin, isFarmNg } = source;
    const { tracker, pattern } = this.options;
    if (block instanceof RunBlock && tracker.follows(pattern, block.sequence, block.count)) {
      parts.push(block.events as readonly MeshEvent<T>[]);
      return;
    }
    const shared = sharedBy(source);
    const known = shared === undefined ? undefined : this.known(block, shared);
    for (const part of known?.parts ?? []) parts.push(part as readonly MeshEvent<T>[]);
    if (known?.count === block.count) {
      block.memory.release();
      return;
    }
    const from = known?.end ?? block.start;
    const { events, isRun } = this.readEach<T>(block, from, origin(), { isFarmNg });
    if (events.length > 0) parts.push(events);
    if (isRun) shared?.add(block, from, events);
  }

  /** The events with which a block begins, as far as other subscriptions have brought them, and if they come next. */
  private known(block: MessageBlock, recent: RecentEvents): KnownEvents | undefined {
    const { reader } = this;
    const { bytes, start } = block;
    const { pattern, tracker } = this.options;
    try {
      reader.read(bytes, start + framePrefixBytes, frameEnd(bytes, start));
    } catch {
      // Whoever reads them one by one says so.
      return undefined;
    }
    if (reader.uriEnd - reader.uriStart !== this.uriBytes) return undefined;
    const { sequence } = reader;
    const known = recent.find(block, sequence);
    return known.count > 0 && tracker.follows(pattern, sequence, known.count) ? known : undefined;
  }

  /** `isRun`: all of them are of the path of an exact pattern, and follow each other. */
  private readEach<T>(
    { bytes, end }: MessageBlock,
    from: number,
    origin: EventOrigin,
    { isFarmNg }: { readonly isFarmNg: boolean },
  ): { readonly events: MeshEvent<T>[]; readonly isRun: boolean } {
    const { reader } = this;
    const { pattern, tracker, decoder, onBroken } = this.options;
    // farm-ng knows no prefixes, and sends everything.
    const filters = isFarmNg && isPrefix(pattern);
    const events: MeshEvent<T>[] = [];
    let isRun = true;
    let next = from;
    for (let at = from; at < end; at = next) {
      next = frameEnd(bytes, at);
      try {
        reader.read(bytes, at + framePrefixBytes, next);
        const path = this.pathOf(bytes);
        const event = MeshEvent.found<T>(reader, bytes, decoder, origin);
        if (isFarmNg || !tracker.follows(path, reader.sequence, 1)) {
          isRun = false;
          if (filters && !matchesPath(pattern, path)) continue;
          if (!this.isNew(path, event, isFarmNg)) continue;
        } else if (path !== pattern) isRun = false;
        events.push(event);
      } catch (error) {
        isRun = false;
        onBroken(error);
      }
    }
    return { events, isRun };
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

function sharedBy({ isFarmNg, recent }: BlockSource): RecentEvents | undefined {
  return !isFarmNg && recent?.isShared === true ? recent : undefined;
}
