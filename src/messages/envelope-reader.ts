import { MeshError } from '../base/errors.js';
import { envelopeTags, eventTags } from './event-tags.js';
import { WireCursor } from './varint.js';

/**
 * Finds what a receiver must know of every event: where its parts lie, its sequence, and where its URI lies. One
 * reader serves all streams of a client, so that nothing is made for an event but the event. Format: see `envelope.ts`.
 */
export class EnvelopeReader {
  /** Bounds of the encoded Event, its URI and the payload in the bytes that were read. */
  eventStart = 0;
  eventEnd = 0;
  uriStart = 0;
  uriEnd = 0;
  payloadStart = 0;
  payloadEnd = 0;
  sequence = 0;
  private readonly cursor = new WireCursor(Buffer.alloc(0));

  /** Errors: `data-loss` when the bytes from `start` to `end` are no envelope with an event. */
  read(bytes: Buffer, start: number, end: number): void {
    const cursor = this.cursor.over(bytes, start, end);
    this.eventEnd = -1;
    this.payloadStart = end;
    this.payloadEnd = end;
    while (cursor.at < end) {
      const field = cursor.uint32();
      if (field === envelopeTags.event) {
        this.eventStart = cursor.skipLength();
        this.eventEnd = cursor.at;
      } else if (field === envelopeTags.payload) {
        this.payloadStart = cursor.skipLength();
        this.payloadEnd = cursor.at;
      } else cursor.skip(field & 7);
    }
    if (this.eventEnd === -1) throw new MeshError('data-loss', 'a message without an event arrived');
    this.readEvent(bytes);
  }

  private readEvent(bytes: Buffer): void {
    const { eventStart, eventEnd } = this;
    const cursor = this.cursor.over(bytes, eventStart, eventEnd);
    this.uriStart = eventStart;
    this.uriEnd = eventStart;
    this.sequence = 0;
    while (cursor.at < eventEnd) {
      const field = cursor.uint32();
      if (field === eventTags.timestamp) cursor.skipLength();
      else if (field === eventTags.uri) {
        this.uriStart = cursor.skipLength();
        this.uriEnd = cursor.at;
      } else if (field === eventTags.sequence) this.sequence = cursor.int64();
      else if (field === eventTags.payloadLength) cursor.int64();
      else cursor.skip(field & 7);
    }
  }
}
