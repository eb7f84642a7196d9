import { Metadata } from '@grpc/grpc-js';
import type { Headers } from './types.js';

/** Headers as grpc-js carries them. */
export function toMetadata(headers: Headers): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) {
    metadata.set(name, typeof value === 'string' ? value : Buffer.from(value));
  }
  return metadata;
}

/** The first value of each header. */
export function fromMetadata(metadata: Metadata): Headers {
  return metadata.getMap();
}
