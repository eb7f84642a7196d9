import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { MeshError } from '../base/errors.js';
import type { TypeRegistry } from '../messages/registry.js';
import { EventFileWriter, type SyncMode } from './event-file-writer.js';
import { McapWriter } from './mcap/mcap-writer.js';
import type { RecordingWriter, StampedEvent } from './recording.js';

export type RecordingFormat = 'bin' | 'mcap';

export interface RecordingOutputOptions {
  /** Types of the payloads; an MCAP file carries their schemas. */
  readonly registry: TypeRegistry;
  /** `bin` (default): event files `BASE.0000.bin` and so on. `mcap`: one file, `BASE.mcap`. */
  readonly format?: RecordingFormat;
  /**
   * When events are on disk: `none` when the system sees fit, `interval` (default) within a second, `each` before the
   * next is written. An MCAP file becomes larger by it.
   */
  readonly sync?: SyncMode;
  /** `bin` only: a new file starts when this one is longer than so many million bytes. Default: never. */
  readonly maxFileMb?: number;
}

/** Where a recorder writes to. */
export interface RecordingOutput extends RecordingWriter {
  write(events: readonly StampedEvent[]): Promise<void>;
  /** The files so far. */
  readonly files: readonly string[];
  /** Header events of before are not repeated in later files. */
  clearHeaders(): void;
}

/**
 * Makes the files of a new recording. Errors: `failed-precondition` when the base has files already, `invalid-argument`
 * for `maxFileMb` with `mcap`, `resource-exhausted`, `permission-denied`, `internal`.
 */
export async function openOutput(base: string, options: RecordingOutputOptions): Promise<RecordingOutput> {
  const { registry, format = 'bin', sync = 'interval', maxFileMb } = options;
  if (format === 'bin') return EventFileWriter.open(base, { sync, ...(maxFileMb === undefined ? {} : { maxFileMb }) });
  if (maxFileMb !== undefined) {
    throw new MeshError('invalid-argument', 'an MCAP recording is one file: leave max-file-mb out, or write bin');
  }
  const file = `${base.replace(/\.mcap$/, '')}.mcap`;
  if (await stat(file).catch(() => undefined)) {
    throw new MeshError('failed-precondition', `there is a recording at ${file} already; name another, or remove it`);
  }
  await mkdir(dirname(file), { recursive: true });
  return new McapOutput(file, await McapWriter.open(file, { registry }), sync);
}

const syncMs = 1000;

/** An MCAP file that is brought to the disk while it is written. */
class McapOutput implements RecordingOutput {
  readonly files: readonly string[];
  private readonly writer: McapWriter;
  private readonly sync: SyncMode;
  private readonly timer: NodeJS.Timeout | undefined;
  /** The writer takes one call at a time. */
  private last: Promise<void> = Promise.resolve();
  private syncing = false;

  constructor(file: string, writer: McapWriter, sync: SyncMode) {
    this.files = [file];
    this.writer = writer;
    this.sync = sync;
    if (sync === 'interval') this.timer = setInterval(() => void this.syncNow(), syncMs);
  }

  async write(events: readonly StampedEvent[]): Promise<void> {
    await this.inTurn(() => this.writer.write(events));
    if (this.sync === 'each') await this.inTurn(() => this.writer.flush({ sync: true }));
  }

  clearHeaders(): void {
    // One file has one start.
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    await this.inTurn(() => this.writer.close());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  private async syncNow(): Promise<void> {
    if (this.syncing) return;
    this.syncing = true;
    // A disk that fails says so to the next write, too.
    await this.inTurn(() => this.writer.flush({ sync: true })).catch(() => undefined);
    this.syncing = false;
  }

  private inTurn(action: () => Promise<void>): Promise<void> {
    const done = this.last.then(action);
    this.last = done.catch(() => undefined);
    return done;
  }
}
