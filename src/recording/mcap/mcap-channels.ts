import { MeshError } from '../../base/errors.js';
import type { TypeRegistry } from '../../messages/registry.js';
import { pathKey } from '../path-patterns.js';
import type { PathName } from '../path-table.js';
import { eventSchemaName, eventTopic } from './mcap-format.js';
import { PathTally } from './path-tally.js';
import { ProtobufSchemas } from './protobuf-schemas.js';
import type { ChannelRecord, SchemaRecord } from './record-encoder.js';

/** How the payloads of a type are encoded and described, for types that the registry does not know. */
export interface PayloadSchema {
  /** `protobuf`, `json`, … */
  readonly messageEncoding: string;
  /** `protobuf`, `jsonschema`, …; empty for none. */
  readonly schemaEncoding: string;
  readonly data: Uint8Array;
}

/** The two channels of one path, and what has been written to them. */
export interface PathChannels {
  readonly payload: ChannelRecord;
  readonly event: ChannelRecord;
  readonly tally: PathTally;
}

const mostChannels = 0xffff;

/** The schemas and channels of a file that is being written. */
export class McapChannels {
  readonly schemas: SchemaRecord[] = [];
  readonly paths: PathChannels[] = [];
  private readonly schemaIds = new Map<string, number>();
  private readonly protobuf: ProtobufSchemas;
  private readonly foreign: (type: string) => PayloadSchema | undefined;

  constructor(registry: TypeRegistry, foreign: (type: string) => PayloadSchema | undefined = () => undefined) {
    this.protobuf = new ProtobufSchemas(registry);
    this.foreign = foreign;
  }

  /** Adds the channels of a path. Errors: `resource-exhausted` when a file has no room for more. */
  add(name: PathName): PathChannels {
    const topic = pathKey(name);
    const id = this.paths.length * 2 + 1;
    if (id + 1 > mostChannels) {
      throw new MeshError('resource-exhausted', `${topic}: an MCAP file has room for ${mostChannels} channels`);
    }
    const schema = this.protobufSchema(name.type) ?? this.foreign(name.type);
    const payload = {
      id,
      schemaId: this.schemaId(name.type, schema),
      topic,
      // Without a schema nobody can decode it; a name of our own keeps viewers from trying.
      messageEncoding: schema?.messageEncoding ?? 'x-unknown',
      metadata: { service: name.service, path: name.path, type: name.type, pb: name.pb },
    };
    const event = {
      id: id + 1,
      schemaId: this.schemaId(eventSchemaName, this.protobufSchema(eventSchemaName)),
      topic: eventTopic(topic),
      messageEncoding: 'protobuf',
      metadata: {},
    };
    const channels = { payload, event, tally: new PathTally() };
    this.paths.push(channels);
    return channels;
  }

  private protobufSchema(type: string): PayloadSchema | undefined {
    const data = this.protobuf.schemaOf(type);
    return data && { messageEncoding: 'protobuf', schemaEncoding: 'protobuf', data };
  }

  private schemaId(name: string, schema: PayloadSchema | undefined): number {
    if (schema === undefined) return 0;
    let id = this.schemaIds.get(name);
    if (id === undefined) {
      id = this.schemas.length + 1;
      this.schemas.push({ id, name, encoding: schema.schemaEncoding, data: schema.data });
      this.schemaIds.set(name, id);
    }
    return id;
  }
}
