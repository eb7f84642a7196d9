import type protobuf from 'protobufjs';
import { type Codec, NaturalCodecs } from '../../messages/natural.js';
import type { PayloadSchema } from './mcap-channels.js';
import type { ChannelRecord, SchemaRecord } from './record-encoder.js';
import { rootOfDescriptors } from './sanitized-descriptors.js';

/** Decodes what a file brings schemas of, without the shared registry ever hearing of them. */
export class FileSchemas {
  private readonly schemas = new Map<number, SchemaRecord>();
  private readonly types = new Map<string, PayloadSchema>();
  private readonly codecs = new Map<string, Codec | undefined>();

  addSchema(schema: SchemaRecord): void {
    this.schemas.set(schema.id, schema);
  }

  nameOf(schemaId: number): string {
    return this.schemas.get(schemaId)?.name ?? '';
  }

  /** Remembers how the payloads of a channel are encoded. */
  addChannel({ schemaId, messageEncoding }: ChannelRecord): void {
    const { name = '', encoding = '', data = Buffer.alloc(0) } = this.schemas.get(schemaId) ?? {};
    if (!this.types.has(name)) this.types.set(name, { messageEncoding, schemaEncoding: encoding, data });
  }

  /** How a type is encoded and described in the file; undefined for one that is not in it. */
  schemaOf(type: string): PayloadSchema | undefined {
    return this.types.get(type);
  }

  /** Turns payloads of the type into values; undefined when neither protobuf nor JSON says how. */
  decoderOf(type: string): Pick<Codec, 'decode'> | undefined {
    if (this.codecs.has(type)) return this.codecs.get(type);
    const codec = this.makeCodec(type);
    this.codecs.set(type, codec);
    return codec;
  }

  private makeCodec(type: string): Codec | undefined {
    const schema = this.types.get(type);
    if (schema?.messageEncoding === 'json') return json;
    if (schema?.messageEncoding !== 'protobuf' || schema.schemaEncoding !== 'protobuf') return undefined;
    try {
      const root = rootOfDescriptors(schema.data);
      // The leading dot keeps protobufjs from searching other packages for the name.
      return new NaturalCodecs().codec(root.lookupType(`.${type}`) as protobuf.Type);
    } catch {
      // Bytes without a usable schema are bytes.
      return undefined;
    }
  }
}

const json: Codec = {
  encode: (value) => Buffer.from(JSON.stringify(value)),
  decode: (bytes) => JSON.parse(Buffer.from(bytes).toString('utf8')),
};
