import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { McapIndexedReader, type McapTypes, McapWriter as OtherWriter } from '@mcap/core';
import { onTestFinished } from 'vitest';
import { encodeEvent } from '../../../src/messages/envelope.js';
import { MeshEvent } from '../../../src/messages/mesh-event.js';
import { semantics } from '../../../src/messages/timestamp.js';
import { eventUri } from '../../../src/messages/uri.js';
import { McapReader } from '../../../src/recording/mcap/mcap-reader.js';
import { McapWriter, type McapWriterOptions } from '../../../src/recording/mcap/mcap-writer.js';
import type { RecordedEvent } from '../../../src/recording/recording.js';
import { bootS, folder, registry } from '../sample-events.js';

export interface TypedSample {
  readonly type?: string;
  readonly service?: string;
  readonly path?: string;
  readonly sequence?: number;
  /** Seconds on the recorder's monotonic clock. Default 100. */
  readonly atS?: number;
}

/** A recorded event with a message of a type that the registry knows. */
export function typed(message: unknown, of: TypedSample = {}): RecordedEvent {
  const { type = 'google.protobuf.Struct', service = 'agent-1', path = '/sample', sequence = 0, atS = 100 } = of;
  const payload = Buffer.from(registry.encode(type, message));
  return raw(payload, { type, pb: registry.fileOf(type), service, path, sequence, atS });
}

/** A recorded event with these bytes as its payload. */
export function raw(payload: Buffer, of: Required<TypedSample> & { readonly pb: string }): RecordedEvent {
  const { type, pb, service, path, sequence, atS } = of;
  const timestamps = [
    { stamp: atS, clockName: 'host/monotonic', semantics: semantics.serviceSend },
    { stamp: bootS + atS - 0.25, clockName: 'host/system_clock/UTC', semantics: semantics.serviceSend },
    { stamp: atS, clockName: 'host/monotonic', semantics: semantics.fileWrite },
  ];
  const uri = eventUri('host', path, type, pb, service);
  const eventBytes = encodeEvent({ uri, timestamps, payloadLength: payload.length, sequence });
  return {
    event: new MeshEvent(eventBytes, payload, { registry, unknownType: () => undefined }),
    timeS: bootS + atS,
  };
}

/** `count` events of two paths in turn, ten a second. */
export function drive(count: number): RecordedEvent[] {
  return Array.from({ length: count }, (_, index) =>
    typed(
      { val: index, text: `event ${index}` },
      {
        path: index % 2 === 0 ? '/sample' : '/state',
        sequence: Math.floor(index / 2),
        atS: 100 + index / 10,
      },
    ),
  );
}

export async function writeMcap(
  events: readonly RecordedEvent[],
  options: Partial<McapWriterOptions> = {},
): Promise<string> {
  const file = join(await folder(), 'drive.mcap');
  const writer = await McapWriter.open(file, { registry, compression: 'none', ...options });
  await writer.write(events);
  await writer.close();
  return file;
}

export async function openMcap(file: string): Promise<McapReader> {
  const reader = await McapReader.open([file], { registry });
  onTestFinished(() => reader.close());
  return reader;
}

/** What the library of MCAP itself reads. */
export async function openByLibrary(file: string): Promise<McapIndexedReader> {
  const bytes = await readFile(file);
  const readable: McapTypes.IReadable = {
    size: async () => BigInt(bytes.length),
    read: async (offset, length) => bytes.subarray(Number(offset), Number(offset + length)),
  };
  return McapIndexedReader.Initialize({ readable });
}

/** Writes a file with the library of MCAP itself. */
export async function writeByLibrary(
  write: (writer: OtherWriter) => Promise<void>,
  options: Partial<ConstructorParameters<typeof OtherWriter>[0]> = {},
): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let length = 0;
  const writable = {
    position: () => BigInt(length),
    write: async (bytes: Uint8Array) => {
      parts.push(Uint8Array.from(bytes));
      length += bytes.length;
    },
  };
  const writer = new OtherWriter({ writable, ...options });
  await writer.start({ profile: '', library: 'another program' });
  await write(writer);
  await writer.end();
  return Buffer.concat(parts);
}
