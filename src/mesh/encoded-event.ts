import { envelopeSize, writeEnvelope } from '../messages/envelope.js';
import type { EnvelopeHead, EnvelopeTemplate } from '../messages/envelope-template.js';
import { bodyBytes, type Payload } from '../messages/payload.js';
import { type FrameMemory, framePrefixBytes, messageOf, writePrefix } from '../wire/frames.js';
import type { FramedMessage } from '../wire/types.js';

// Of so few a call costs more than they do; mostly there are two.
const fewBytes = 7;

/** An event as it goes out: encoded once, framed, and shared by all queues and streams. */
export class EncodedEvent implements FramedMessage {
  private copy: EncodedEvent | undefined;

  private constructor(
    readonly path: string,
    readonly sequence: number,
    readonly bytes: Buffer,
    readonly start: number,
    readonly end: number,
    readonly body: Uint8Array | undefined,
  ) {}

  /** The next event of a path, around its encoded payload, which must not change any more. */
  static ofPayload(
    path: string,
    memory: FrameMemory,
    template: EnvelopeTemplate,
    payload: Payload,
    head: EnvelopeHead,
  ): EncodedEvent {
    const { head: begin, body } = payload;
    const isApart = body !== undefined && body.length >= bodyBytes;
    const copied = begin.length + (isApart || body === undefined ? 0 : body.length);
    const headBytes = template.headSize(head) + copied;
    const event = EncodedEvent.within(memory, path, head.sequence, headBytes, isApart ? body : undefined);
    const { bytes } = event;
    const at = template.writeHead(bytes, event.start + framePrefixBytes, head);
    if (begin.length > fewBytes) bytes.set(begin, at);
    else for (let index = 0; index < begin.length; index++) bytes[at + index] = begin[index]!;
    if (body !== undefined && !isApart) bytes.set(body, at + begin.length);
    return event;
  }

  /** An event that was encoded elsewhere, byte for byte. */
  static ofEvent(
    path: string,
    sequence: number,
    memory: FrameMemory,
    eventBytes: Uint8Array,
    payload: Uint8Array,
  ): EncodedEvent {
    const event = EncodedEvent.within(memory, path, sequence, envelopeSize(eventBytes, payload), undefined);
    writeEnvelope(event.bytes, event.start + framePrefixBytes, eventBytes, payload);
    return event;
  }

  private static within(
    memory: FrameMemory,
    path: string,
    sequence: number,
    headBytes: number,
    body: Uint8Array | undefined,
  ): EncodedEvent {
    const frameBytes = framePrefixBytes + headBytes;
    const start = memory.reserve(frameBytes);
    writePrefix(memory.bytes, start, headBytes + (body?.length ?? 0));
    return new EncodedEvent(path, sequence, memory.bytes, start, start + frameBytes, body);
  }

  /** Bytes that it takes in queues and on the wire. */
  get size(): number {
    return this.end - this.start + (this.body?.length ?? 0);
  }

  /** Bytes of the message, the frame's prefix left out. */
  get messageBytes(): number {
    return this.size - framePrefixBytes;
  }

  /** The whole SubscribeReply. */
  get envelope(): Buffer {
    return messageOf(this);
  }

  /** The same event in memory of its own: for those who keep only a few of a path's events for long. */
  apart(): EncodedEvent {
    if (this.copy === undefined) {
      const own = Buffer.from(this.bytes.subarray(this.start, this.end));
      this.copy = new EncodedEvent(this.path, this.sequence, own, 0, own.length, this.body);
      this.copy.copy = this.copy;
    }
    return this.copy;
  }
}
