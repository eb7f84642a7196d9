import type { MeshEvent } from '../messages/mesh-event.js';
import type { BytesPart } from './bytes-part.js';

/*
 * What event files and MCAP files have in common: everything above them (player, convert, cut, merge, info) reads
 * and writes recordings by these two interfaces.
 */

/** An event of a recording, and when it was recorded. */
export interface RecordedEvent {
  /** As recorded, stamps of receiving and writing included. */
  readonly event: MeshEvent;
  /** Unix seconds on the recorder's clock: never goes back within a recording that one recorder made. */
  readonly timeS: number;
}

/** An event that a recorder writes. */
export interface StampedEvent extends RecordedEvent {
  /** As it came: what is written is this with `stamps`. */
  readonly event: MeshEvent;
  /** Encoded stamps that it gets behind those that it has. Default: none. */
  readonly stamps?: BytesPart;
}

/** The part of a recording that is wanted. */
export interface Selection {
  /** Seconds after the recording's first event. Default 0. */
  readonly startS?: number;
  /** Seconds after the recording's first event; events at this time are left out. Default: to the end. */
  readonly endS?: number;
  /** Patterns over `service/path`: `agent-1/sample`, `agent-1/*`, `agent-1/gps/*`, `*`. Default: all. */
  readonly paths?: readonly string[];
}

export interface ReadOptions extends Selection {
  readonly signal?: AbortSignal;
  /** Told now and then how far reading has come. */
  readonly onProgress?: (readBytes: number, totalBytes: number) => void;
  /**
   * Lends the bytes of each batch until the next, which takes less memory: neither an event nor what was decoded of it
   * may be looked at later. Default false: events stay as they are for as long as they are held.
   */
  readonly lend?: boolean;
  /** Told of each part of the files that is no record, when it has been passed over. */
  readonly onDamage?: (damage: Damage) => void;
}

/** Something in a file that is no record. */
export interface Damage {
  readonly file: string;
  /** Where it begins, bytes from the start of the file, and how many there are. */
  readonly offset: number;
  readonly bytes: number;
  /** `tail`: the last record is not whole, as after a crash. `middle`: reading goes on behind it. */
  readonly kind: 'tail' | 'middle';
  readonly reason: string;
}

/** One path of a recording. */
export interface RecordedPath {
  readonly service: string;
  /** With its leading slash. */
  readonly path: string;
  /** Full message name, and its proto file as the URI states it. */
  readonly type: string;
  readonly pb: string;
  readonly count: number;
  /** Bytes of its payloads. */
  readonly payloadBytes: number;
  /** Unix seconds of its first and last event. */
  readonly firstS: number;
  readonly lastS: number;
  /** Events between its first and last sequence that are not there. */
  readonly missing: number;
}

export interface RecordingSummary {
  readonly files: readonly string[];
  readonly format: 'bin' | 'mcap';
  readonly bytes: number;
  readonly count: number;
  /** Unix seconds of the first and last event; 0 for a recording without events. */
  readonly firstS: number;
  readonly lastS: number;
  /** By service, then path. */
  readonly paths: readonly RecordedPath[];
  readonly damage: readonly Damage[];
}

/** A recording to read: one file, or the parts that one recorder has written, in order. */
export interface RecordingReader extends AsyncDisposable {
  readonly files: readonly string[];
  /** From the index, which is made when there is none. */
  summary(options?: Pick<ReadOptions, 'signal' | 'onProgress'>): Promise<RecordingSummary>;
  /** The events that are wanted, in the order of the file, in bounded memory. Can be called again and again. */
  batches(options?: ReadOptions): AsyncIterable<readonly RecordedEvent[]>;
  close(): Promise<void>;
}

/** A recording to write. Events are copied before `write` returns. */
export interface RecordingWriter extends AsyncDisposable {
  /** Errors: `resource-exhausted` when the disk is full, `internal` for other failures of the disk. */
  write(events: readonly RecordedEvent[]): Promise<void>;
  /** Everything is on disk and the file is complete when this resolves. Can be called twice. */
  close(): Promise<void>;
}
