import { MeshError } from '../../base/errors.js';
import type { ChannelRecord, SchemaRecord } from './record-encoder.js';

/** Reads the fields of one record, each bounded by it. */
export class RecordFields {
  private readonly bytes: Buffer;
  private at = 0;

  /** @param bytes The record's content. */
  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  uint16(): number {
    return this.bytes.readUInt16LE(this.advance(2));
  }

  uint32(): number {
    return this.bytes.readUInt32LE(this.advance(4));
  }

  /** Errors: `data-loss` for one that no file can have. */
  uint64(): number {
    const at = this.advance(8);
    const value = this.bytes.readUInt32LE(at) + this.bytes.readUInt32LE(at + 4) * 0x100000000;
    if (!Number.isSafeInteger(value)) throw new MeshError('data-loss', `a length of ${value} bytes`);
    return value;
  }

  raw(length: number): Buffer {
    const at = this.advance(length);
    return this.bytes.subarray(at, at + length);
  }

  text(): string {
    return this.raw(this.uint32()).toString('utf8');
  }

  texts(): Record<string, string> {
    const fields = new RecordFields(this.raw(this.uint32()));
    const entries: [string, string][] = [];
    while (!fields.done) entries.push([fields.text(), fields.text()]);
    return Object.fromEntries(entries);
  }

  get done(): boolean {
    return this.at >= this.bytes.length;
  }

  private advance(length: number): number {
    const at = this.at;
    if (at + length > this.bytes.length) throw new MeshError('data-loss', `it ends within a field, at byte ${at}`);
    this.at = at + length;
    return at;
  }
}

/** Errors: `data-loss`. */
export function readSchema(content: Buffer): SchemaRecord {
  const fields = new RecordFields(content);
  const [id, name, encoding] = [fields.uint16(), fields.text(), fields.text()];
  return { id, name, encoding, data: Buffer.from(fields.raw(fields.uint32())) };
}

/** Errors: `data-loss`. */
export function readChannel(content: Buffer): ChannelRecord {
  const fields = new RecordFields(content);
  const [id, schemaId, topic, messageEncoding] = [fields.uint16(), fields.uint16(), fields.text(), fields.text()];
  return { id, schemaId, topic, messageEncoding, metadata: fields.texts() };
}
