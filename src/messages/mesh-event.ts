import { MeshError } from '../base/errors.js';
import { decodeHead, decodeTimestamps, type EventHead, splitEnvelope } from './envelope.js';
import type { Event } from './event.js';
import { EventMemo } from './event-memo.js';
import type { TypeRegistry } from './registry.js';
import { findStamp, secondsBetween, type Timestamp } from './timestamp.js';
import { serviceOfQuery, type Uri } from './uri.js';

/** What a decoder of events needs: the types, and a place to say that one is unknown. */
export interface EventDecoder {
  readonly registry: TypeRegistry;
  /** Called each time a payload of an unknown type is looked at; the receiver says it once. */
  unknownType(type: string): void;
  /** What the events of a stream share; without it each is decoded for itself. */
  readonly memo?: EventMemo;
}

/**
 * An event as it came over the wire or out of a file. Everything is decoded when it is first looked at, and kept:
 * a program that only counts events pays for no decoding.
 */
export class MeshEvent<T = unknown> implements Event {
  /** The encoded Event message, without the payload. */
  readonly eventBytes: Buffer;
  /** The encoded payload, shared with the receive buffer: copy it to keep it long. */
  readonly payload: Buffer;
  private readonly decoder: EventDecoder;
  private readonly publisher: string | undefined;
  private readonly received: Timestamp | undefined;
  private decodedHead: EventHead | undefined;
  private decodedStamps: readonly Timestamp[] | undefined;
  private decoded: { message: T } | undefined;

  /**
   * @param publisher The service it came from, where the receiver knows; otherwise its URI names it.
   * @param received The stamp of reception, added behind the event's own.
   */
  constructor(
    eventBytes: Buffer,
    payload: Buffer,
    decoder: EventDecoder,
    options: { publisher?: string; received?: Timestamp } = {},
  ) {
    this.eventBytes = eventBytes;
    this.payload = payload;
    this.decoder = decoder;
    this.publisher = options.publisher;
    this.received = options.received;
  }

  /** Errors: `data-loss` when the bytes are no envelope, or the event has no URI. */
  static fromEnvelope<T = unknown>(
    bytes: Uint8Array,
    decoder: EventDecoder,
    options: { publisher?: string; received?: Timestamp } = {},
  ): MeshEvent<T> {
    const { event, payload } = splitEnvelope(bytes);
    if (event === undefined) throw new MeshError('data-loss', 'a message without an event arrived');
    return new MeshEvent<T>(event, payload, decoder, options);
  }

  get uri(): Uri {
    return this.head.known.uri;
  }

  get timestamps(): readonly Timestamp[] {
    if (this.decodedStamps === undefined) {
      const stamps = decodeTimestamps(this.eventBytes, this.memo);
      if (this.received !== undefined) stamps.push(this.received);
      this.decodedStamps = stamps;
    }
    return this.decodedStamps;
  }

  get payloadLength(): number {
    return this.head.payloadLength;
  }

  get sequence(): number {
    return this.head.sequence;
  }

  /** The topic, e.g. `/sample`. */
  get path(): string {
    return this.head.known.uri.path;
  }

  /** Name of the publishing service; empty when neither the receiver nor the URI knows. */
  get service(): string {
    return this.publisher ?? serviceOfQuery(this.uri.query) ?? '';
  }

  /** Full name of the payload's message type; empty when the URI does not say. */
  get type(): string {
    return this.head.known.type;
  }

  /**
   * The payload as a natural JavaScript value, decoded once; the bytes themselves where the type is unknown.
   * Errors: `data-loss` when the payload is not of its type or not `payload_length` long.
   */
  get message(): T {
    this.decoded ??= { message: this.decode() as T };
    return this.decoded.message;
  }

  /** The first stamp with these semantics, of a clock whose name ends in `clockSuffix` (default: any). */
  stamp(semantics: string, clockSuffix?: string): Timestamp | undefined {
    return findStamp(this.timestamps, semantics, clockSuffix);
  }

  /** Seconds between two stamps of one clock; undefined when no clock has both. */
  secondsBetween(from: string, to: string): number | undefined {
    return secondsBetween(this.timestamps, from, to);
  }

  private get head(): EventHead {
    this.decodedHead ??= decodeHead(this.eventBytes, this.memo);
    return this.decodedHead;
  }

  private get memo(): EventMemo {
    return this.decoder.memo ?? new EventMemo();
  }

  private decode(): unknown {
    const { type, payload } = this;
    if (this.payloadLength !== payload.length) {
      throw new MeshError(
        'data-loss',
        `event ${this.sequence} of ${this.service}${this.path} says its payload has ${this.payloadLength} bytes; ${payload.length} came`,
      );
    }
    if (!this.decoder.registry.has(type)) {
      this.decoder.unknownType(type);
      return payload;
    }
    try {
      return this.decoder.registry.decode(type, payload);
    } catch (error) {
      throw new MeshError(
        'data-loss',
        `event ${this.sequence} of ${this.service}${this.path}: ${(error as Error).message}`,
        { cause: error },
      );
    }
  }
}
