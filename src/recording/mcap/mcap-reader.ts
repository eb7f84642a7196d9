import type { McapTypes } from '@mcap/core';
import { EventMemo } from '../../messages/event-memo.js';
import type { EventDecoder } from '../../messages/mesh-event.js';
import type { TypeRegistry } from '../../messages/registry.js';
import { viewOf } from '../bytes-part.js';
import type { EventParts } from '../event-file-writer.js';
import { checkPatterns, pathMatcher } from '../path-patterns.js';
import type { Damage, ReadOptions, RecordedEvent, RecordingReader, RecordingSummary } from '../recording.js';
import { throwIfAborted } from '../throw-if-aborted.js';
import { FileSchemas } from './file-schemas.js';
import { chunkOverlaps, indexedSections } from './indexed-sections.js';
import type { PayloadSchema } from './mcap-channels.js';
import { McapFile } from './mcap-file.js';
import { opcode } from './mcap-format.js';
import { type FileTotals, keptTotals, TotalsOfPaths } from './mcap-totals.js';
import { MessagePairs, type WantedEvents } from './message-pairs.js';
import { readChannel, readSchema } from './record-fields.js';
import { walkRecords } from './record-walk.js';
import { scannedSections } from './scanned-sections.js';

export interface McapReaderOptions {
  readonly registry: TypeRegistry;
  /** Told of each look at a payload of a type that neither the registry nor the file knows. */
  readonly unknownType?: (type: string) => void;
  readonly signal?: AbortSignal;
}

/** How a file is looked through. */
interface Looking {
  readonly wanted: WantedEvents;
  /** Called for each event. */
  readonly take: (found: MessagePairs) => void;
  /** Whether the memory of one step is used again at the next. */
  readonly lend: boolean;
  /** Gives memory for it. Default: ordinary memory. */
  readonly allocate?: ((bytes: number) => Buffer) | undefined;
  readonly onDamage: (damage: Damage) => void;
}

const batchEvents = 1024;
const everything: WantedEvents = {
  fromS: Number.NEGATIVE_INFINITY,
  toS: Number.POSITIVE_INFINITY,
  matches: () => true,
};

/**
 * Reads MCAP files: furrow's, event for event as they were recorded, and those of other programs, whose messages become
 * events. By the index where a file has one; a file that was not closed, as after a crash, is read to where it breaks
 * off. Types that the registry does not know are decoded by the schemas of the file.
 */
export class McapReader implements RecordingReader {
  readonly files: readonly string[];
  private readonly opened: readonly McapFile[];
  private readonly decoder: EventDecoder;
  private readonly schemas = new FileSchemas();
  private totals: Promise<FileTotals> | undefined;
  private closed: Promise<void> | undefined;

  private constructor(opened: readonly McapFile[], { registry, unknownType = () => undefined }: McapReaderOptions) {
    this.opened = opened;
    this.files = opened.map(({ file }) => file);
    this.decoder = { registry, unknownType, memo: new EventMemo() };
  }

  /**
   * `files`: one, or the parts of a recording in order. Errors: `not-found`, `permission-denied`, `internal`;
   * `cancelled` when the signal was aborted.
   */
  static async open(files: readonly string[], options: McapReaderOptions): Promise<McapReader> {
    const opened: McapFile[] = [];
    try {
      for (const file of files) {
        throwIfAborted(options.signal);
        opened.push(await McapFile.open(file));
      }
    } catch (error) {
      await Promise.all(opened.map((file) => file.close()));
      throw error;
    }
    return new McapReader(opened, options);
  }

  /**
   * How the payloads of a type are encoded and described in the files, as far as they have been read; undefined for a
   * type that is not in them.
   */
  schemaOf(type: string): PayloadSchema | undefined {
    return this.schemas.schemaOf(type);
  }

  /** Errors: as `batches`. */
  async summary(options: Pick<ReadOptions, 'signal' | 'onProgress'> = {}): Promise<RecordingSummary> {
    const { count, firstS, lastS, paths, damage } = await this.total(options);
    const bytes = this.opened.reduce((total, { size }) => total + size, 0);
    return { files: this.files, format: 'mcap', bytes, count, firstS, lastS, paths, damage };
  }

  /**
   * Errors: `not-found` for a pattern that means no path, `data-loss` when a file is cut while it is read, `internal`;
   * `cancelled` when the signal was aborted.
   */
  async *batches(options: ReadOptions = {}): AsyncGenerator<readonly RecordedEvent[], void> {
    throwIfAborted(options.signal);
    let batch: RecordedEvent[] = [];
    const take = (found: MessagePairs): void => void batch.push({ event: found.toEvent(), timeS: found.timeS });
    for await (const _ of this.found(await this.wanted(options), take, options)) {
      const full = batch;
      batch = [];
      if (full.length > 0) yield full;
    }
  }

  /**
   * Hands the events that are wanted to `take` without making objects of them, a thousand or so for each step; what they
   * stand in is used again at the next. Errors: as `batches`.
   * @param allocate Gives memory for them.
   */
  async *parts(
    options: ReadOptions,
    take: (parts: EventParts) => void,
    allocate: (bytes: number) => Buffer,
  ): AsyncGenerator<void, void> {
    throwIfAborted(options.signal);
    yield* this.found(await this.wanted(options), take, { ...options, lend: true, allocate });
  }

  /** Can be called twice. */
  close(): Promise<void> {
    this.closed ??= Promise.all(this.opened.map((file) => file.close())).then(() => undefined);
    return this.closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private async wanted({ startS = 0, endS, paths, signal }: ReadOptions): Promise<WantedEvents> {
    const allPaths = paths === undefined || paths.includes('*');
    if (allPaths && startS <= 0 && endS === undefined) return everything;
    const totals = await this.total(signal === undefined ? {} : { signal });
    checkPatterns(paths, totals.paths);
    const fromS = startS <= 0 ? everything.fromS : totals.firstS + startS;
    const toS = endS === undefined ? everything.toS : totals.firstS + endS;
    return { fromS, toS, matches: pathMatcher(paths) };
  }

  private async *found(
    wanted: WantedEvents,
    take: (found: MessagePairs) => void,
    options: ReadOptions & Pick<Looking, 'allocate'>,
  ): AsyncGenerator<void, void> {
    const { signal, onProgress, lend = false, onDamage = () => undefined, allocate } = options;
    const totalBytes = this.opened.reduce((total, { size }) => total + size, 0);
    let doneBytes = 0;
    for (const file of this.opened) {
      for await (const readBytes of this.foundIn(file, { wanted, take, lend, allocate, onDamage })) {
        throwIfAborted(signal);
        yield;
        onProgress?.(doneBytes + readBytes, totalBytes);
      }
      doneBytes += file.size;
      onProgress?.(doneBytes, totalBytes);
    }
  }

  /** Gives how far it has come after each step. */
  private async *foundIn(file: McapFile, looking: Looking): AsyncGenerator<number, void> {
    const { wanted, take, lend, onDamage } = looking;
    const pairs = new MessagePairs(this.schemas, this.decoder, wanted);
    for (const schema of file.index?.schemasById.values() ?? []) this.schemas.addSchema(schema);
    for (const channel of file.index?.channelsById.values() ?? []) {
      pairs.addChannel({ ...channel, metadata: Object.fromEntries(channel.metadata) });
    }
    const wants = (chunk: McapTypes.ChunkIndex): boolean =>
      chunkOverlaps(chunk, wanted.fromS, wanted.toS) &&
      (chunk.messageIndexOffsets.size === 0 || pairs.wantsAny(chunk.messageIndexOffsets.keys()));
    const sections =
      file.index === undefined ? scannedSections(file, onDamage) : indexedSections(file, { ...looking, wants });
    for await (const { records, offset, end, isTorn = false } of sections) {
      const view = viewOf(records);
      let at = 0;
      let reason: string | undefined;
      while (at < records.length && reason === undefined) {
        let count = 0;
        // Of whoever takes the events; what is wrong with the file is damage.
        let failure: { readonly error: unknown } | undefined;
        const before = at;
        try {
          at = walkRecords(view, at, (code, start, recordEnd) => {
            if (code === opcode.message) {
              if (!pairs.add(view, start, recordEnd)) return undefined;
              try {
                take(pairs);
              } catch (error) {
                failure = { error };
              }
              count++;
              return failure !== undefined || count >= batchEvents ? 'stop' : undefined;
            }
            if (code === opcode.schema) this.schemas.addSchema(readSchema(records.subarray(start, recordEnd)));
            else if (code === opcode.channel) pairs.addChannel(readChannel(records.subarray(start, recordEnd)));
            return undefined;
          });
          if (at === before) reason = 'its last record is not whole';
        } catch (error) {
          reason = (error as Error).message;
        }
        if (failure !== undefined) throw failure.error;
        yield offset;
      }
      if (lend) pairs.keepWaiting();
      if (isTorn) reason ??= 'its last chunk is not whole';
      if (reason !== undefined) {
        const kind = end === file.size ? 'tail' : 'middle';
        // Behind which record it lies can only be told where the records stand in the file as they are.
        const from = kind === 'tail' ? Math.max(offset, end - (records.length - at)) : offset;
        onDamage({ file: file.file, offset: from, bytes: end - from, kind, reason });
      }
      yield end;
    }
  }

  private total(options: Pick<ReadOptions, 'signal' | 'onProgress'>): Promise<FileTotals> {
    this.totals ??= this.count(options).catch((error: unknown) => {
      // What was interrupted can be asked for again.
      this.totals = undefined;
      throw error;
    });
    return this.totals;
  }

  private async count(options: Pick<ReadOptions, 'signal' | 'onProgress'>): Promise<FileTotals> {
    const [file] = this.opened;
    const kept = this.opened.length === 1 ? await keptTotals(file!) : undefined;
    if (kept !== undefined) return kept;
    const totals = new TotalsOfPaths();
    const damage: Damage[] = [];
    const onDamage = (one: Damage): void => void damage.push(one);
    for await (const _ of this.found(everything, (found) => totals.add(found), { ...options, lend: true, onDamage }));
    return { ...totals.result, damage };
  }
}
