import { parseQuery } from '../../src/base/query.js';
import { encodeEvent } from '../../src/messages/envelope.js';
import { EventMemo } from '../../src/messages/event-memo.js';
import { appendStamp } from '../../src/messages/event-stamps.js';
import { MeshEvent } from '../../src/messages/mesh-event.js';
import { TypeRegistry } from '../../src/messages/registry.js';
import { semantics } from '../../src/messages/timestamp.js';
import { eventUri } from '../../src/messages/uri.js';
import { pathKey, pathMatcher } from '../../src/recording/path-patterns.js';
import type {
  ReadOptions,
  RecordedEvent,
  RecordedPath,
  RecordingReader,
  RecordingSummary,
} from '../../src/recording/recording.js';

const registry = new TypeRegistry();
const beginS = 1_700_000_000;
const int32 = 'google.protobuf.Int32Value';

/** An event of a recording: `agent-1/sample`, when, which, and what. */
export interface Line {
  readonly path: string;
  /** Seconds after the recording's begin. */
  readonly atS: number;
  readonly sequence: number;
  readonly value?: unknown;
  /** Default: google.protobuf.Int32Value. */
  readonly type?: string;
  /** In place of the encoded value. */
  readonly payload?: Buffer;
}

/** As the machine published it. */
export function sentBytes({ path, atS, sequence, type = int32, ...line }: Line): { event: Buffer; payload: Buffer } {
  const payload = line.payload ?? Buffer.from(registry.encode(type, line.value ?? sequence));
  const split = path.indexOf('/');
  const pb = registry.has(type) ? registry.fileOf(type) : 'robot/unknown.proto';
  const event = encodeEvent({
    uri: eventUri('robot', path.slice(split), type, pb, path.slice(0, split)),
    timestamps: [
      { stamp: 5 + atS - 0.001, clockName: 'robot/imu', semantics: semantics.deviceSample },
      { stamp: 5 + atS, clockName: 'robot/monotonic', semantics: semantics.serviceSend },
      { stamp: beginS + atS, clockName: 'robot/system_clock/UTC', semantics: semantics.serviceSend },
    ],
    payloadLength: payload.length,
    sequence,
  });
  return { event, payload };
}

/** A recording that was never in a file. */
export class MemoryRecording implements RecordingReader {
  readonly files = ['memory.0000.bin'];
  readonly #events: readonly RecordedEvent[];

  /** Each with the stamps of a recorder behind its own. */
  constructor(lines: readonly Line[]) {
    const decoder = { registry, unknownType: () => undefined, memo: new EventMemo() };
    this.#events = lines.map((line) => {
      const { event, payload } = sentBytes(line);
      const stamp = 900 + line.atS;
      const received = appendStamp(event, { stamp, clockName: 'desk/monotonic', semantics: semantics.clientReceive });
      const written = appendStamp(received, { stamp, clockName: 'desk/monotonic', semantics: semantics.fileWrite });
      return { event: new MeshEvent(written, payload, decoder), timeS: beginS + line.atS };
    });
  }

  async summary(): Promise<RecordingSummary> {
    const paths = new Map<string, RecordedPath>();
    for (const { event, timeS } of this.#events) {
      const key = pathKey(event);
      const before = paths.get(key);
      paths.set(key, {
        service: event.service,
        path: event.path,
        type: before?.type ?? event.type,
        pb: parseQuery(event.uri.query).get('pb') ?? '',
        count: (before?.count ?? 0) + 1,
        payloadBytes: (before?.payloadBytes ?? 0) + event.payloadLength,
        firstS: before?.firstS ?? timeS,
        lastS: timeS,
        missing: 0,
      });
    }
    return {
      files: this.files,
      format: 'bin',
      bytes: 0,
      count: this.#events.length,
      firstS: this.#events[0]?.timeS ?? 0,
      lastS: this.#events.at(-1)?.timeS ?? 0,
      paths: [...paths.values()],
      damage: [],
    };
  }

  async *batches({ startS = 0, endS, paths }: ReadOptions = {}): AsyncGenerator<readonly RecordedEvent[]> {
    const firstS = this.#events[0]?.timeS ?? 0;
    const matches = pathMatcher(paths);
    const wanted = this.#events.filter(
      ({ event, timeS }) =>
        timeS - firstS >= startS && timeS - firstS < (endS ?? Number.POSITIVE_INFINITY) && matches(pathKey(event)),
    );
    // Three at a time, each with a payload that the next three overwrite.
    for (let at = 0; at < wanted.length; at += 3) {
      const batch = wanted.slice(at, at + 3).map(({ event, timeS }) => {
        const bytes = Buffer.concat([event.eventBytes, event.payload]);
        const decoder = { registry, unknownType: () => undefined };
        const length = event.eventBytes.length;
        return { bytes, timeS, event: new MeshEvent(bytes.subarray(0, length), bytes.subarray(length), decoder) };
      });
      yield batch;
      for (const { bytes } of batch) bytes.fill(0xff);
    }
  }

  async close(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {}
}
