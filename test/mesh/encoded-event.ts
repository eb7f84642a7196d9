import { EncodedEvent } from '../../src/mesh/encoded-event.js';

/** An event whose frame is `bytes`, whatever they are. */
export function encodedEvent(path: string, sequence: number, bytes: Buffer): EncodedEvent {
  const event: EncodedEvent = Object.create(EncodedEvent.prototype);
  return Object.assign(event, { path, sequence, bytes, start: 0, end: bytes.length, body: undefined, copy: undefined });
}
