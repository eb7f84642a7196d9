import { MeshError } from '../../base/errors.js';
import { type EventDecoder, MeshEvent } from '../../messages/mesh-event.js';
import type { FileSchemas } from './file-schemas.js';

/** An event whose type only the file knows that it was recorded in. */
export class DescribedEvent extends MeshEvent {
  private readonly schemas: FileSchemas;
  private described: { readonly message: unknown } | undefined;

  constructor(
    eventBytes: Buffer,
    payload: Buffer,
    options: { readonly decoder: EventDecoder; readonly publisher: string; readonly schemas: FileSchemas },
  ) {
    super(eventBytes, payload, options.decoder, { publisher: options.publisher });
    this.schemas = options.schemas;
  }

  override get message(): unknown {
    const decoder = this.schemas.decoderOf(this.type);
    if (decoder === undefined) return super.message;
    this.described ??= { message: this.decodeBy(decoder) };
    return this.described.message;
  }

  private decodeBy(decoder: { decode(bytes: Uint8Array): unknown }): unknown {
    try {
      return decoder.decode(this.payload);
    } catch (error) {
      const name = `event ${this.sequence} of ${this.service}${this.path}`;
      throw new MeshError('data-loss', `${name} is not a ${this.type}: ${(error as Error).message}`, { cause: error });
    }
  }
}
