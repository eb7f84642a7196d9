import type { TypeRegistry } from '../../messages/registry.js';
import { ProtobufSchemas } from '../../recording/mcap/protobuf-schemas.js';
import { jsonSchema } from './json-schema.js';

/** Describes message types to viewers. */
export class Schemas {
  private readonly registry: TypeRegistry;
  private readonly protobuf: ProtobufSchemas;
  /** By proto file: its types share it. */
  private readonly descriptorSets = new Map<string, string>();

  constructor(registry: TypeRegistry) {
    this.registry = registry;
    this.protobuf = new ProtobufSchemas(registry);
  }

  /** The type's file and all that it imports: an encoded FileDescriptorSet in base64. Errors: `not-found`. */
  descriptorSet(type: string): string {
    const file = this.registry.fileOf(type);
    const text = this.descriptorSets.get(file) ?? this.protobuf.schemaOf(type)?.toString('base64') ?? '';
    this.descriptorSets.set(file, text);
    return text;
  }

  /** The JSON that service calls carry for the type, as JSON Schema. Errors: `not-found`. */
  json(type: string): string {
    return JSON.stringify(jsonSchema(this.registry.reflect(type)));
  }
}
