import { MeshError } from '../base/errors.js';
import { decodeHead, decodeTimestamps, type EventHead, splitEnvelope } from './envelope.js';
import type { EnvelopeReader } from './envelope-reader.js';
import type { Event } from './event.js';
import { EventMemo, type KnownUri } from './event-memo.js';
import type { MessageCache } from './message-cache.js';
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
  /** What several streams share. */
  readonly cache?: MessageCache;
}

/** What a receiver knows of an event beside its bytes. */
export interface EventOrigin {
  /** The service it came from; otherwise its URI names it. */
  readonly publisher?: string;
  /** The stamp of reception, added behind the event's own. */
  readonly received?: Timestamp;
}

/** Some bytes of a larger buffer. Many events share that, so whoever reads them all needs not cut each out. */
export interface BytesRange {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

/** Its bytes. */
export function lengthOf({ start, end }: Pick<BytesRange, 'start' | 'end'>): number {
  return end - start;
}

/** Where an event and its payload stand in one buffer. */
export interface EventPlace {
  readonly eventStart: number;
  readonly eventEnd: number;
  readonly payloadStart: number;
  readonly payloadEnd: number;
}

const givenBack = Buffer.alloc(0);
const noOrigin: EventOrigin = {};

/**
 * An event as it came over the wire or out of a file. Everything is decoded when it is first looked at, and kept:
 * a program that only counts events pays for no decoding.
 */
export class MeshEvent<T = unknown> implements Event {
  private readonly decoder: EventDecoder;
  private readonly origin: EventOrigin;
  private bytes: Buffer;
  private eventStart = 0;
  private eventEnd: number;
  /** Where the payload stands, if not in `bytes`. */
  private payloadBytes: Buffer | undefined;
  private payloadStart = 0;
  private payloadEnd: number;
  /** -1: not known yet. */
  private uriStart = -1;
  private uriEnd = -1;
  /** -1: not looked at yet. */
  private knownSequence = -1;
  private knownUri: KnownUri | undefined;
  private cutEvent: Buffer | undefined;
  private cutPayload: Buffer | undefined;
  private decodedHead: EventHead | undefined;
  private decodedStamps: readonly Timestamp[] | undefined;
  private decoded: { message: T } | undefined;

  /** @param eventBytes The encoded Event message. @param payload The encoded payload. */
  constructor(eventBytes: Buffer, payload: Buffer, decoder: EventDecoder, origin: EventOrigin = {}) {
    this.bytes = eventBytes;
    this.eventEnd = eventBytes.length;
    this.payloadBytes = payload;
    this.payloadEnd = payload.length;
    this.cutEvent = eventBytes;
    this.cutPayload = payload;
    this.decoder = decoder;
    this.origin = origin;
  }

  /** Errors: `data-loss` when the bytes are no envelope, or the event has no URI. */
  static fromEnvelope<T = unknown>(bytes: Uint8Array, decoder: EventDecoder, origin: EventOrigin = {}): MeshEvent<T> {
    const { event, payload } = splitEnvelope(bytes);
    if (event === undefined) throw new MeshError('data-loss', 'a message without an event arrived');
    return new MeshEvent<T>(event, payload, decoder, origin);
  }

  /** The event that stands in `bytes` at `place`; nothing of it is copied or cut out until it is needed. */
  static within<T = unknown>(
    bytes: Buffer,
    place: EventPlace,
    decoder: EventDecoder,
    origin: EventOrigin,
  ): MeshEvent<T> {
    const event = new MeshEvent<T>(bytes, bytes, decoder, origin);
    event.cutEvent = undefined;
    event.cutPayload = undefined;
    event.payloadBytes = undefined;
    event.eventStart = place.eventStart;
    event.eventEnd = place.eventEnd;
    event.payloadStart = place.payloadStart;
    event.payloadEnd = place.payloadEnd;
    return event;
  }

  /** The event that `reader` has just found in `bytes`. */
  static found<T = unknown>(
    reader: EnvelopeReader,
    bytes: Buffer,
    decoder: EventDecoder,
    origin: EventOrigin,
  ): MeshEvent<T> {
    const event = MeshEvent.within<T>(bytes, reader, decoder, origin);
    event.uriStart = reader.uriStart;
    event.uriEnd = reader.uriEnd;
    event.knownSequence = reader.sequence;
    return event;
  }

  /** The encoded Event message, without the payload. */
  get eventBytes(): Buffer {
    this.cutEvent ??= this.memory.subarray(this.eventStart, this.eventEnd);
    return this.cutEvent;
  }

  /** The encoded payload, shared with the receive buffer: copy it to keep it long. */
  get payload(): Buffer {
    this.cutPayload ??= this.payloadMemory.subarray(this.payloadStart, this.payloadEnd);
    return this.cutPayload;
  }

  /** Where `eventBytes` stands. @internal */
  get eventRange(): BytesRange {
    return { bytes: this.memory, start: this.eventStart, end: this.eventEnd };
  }

  /** Where `payload` stands. @internal */
  get payloadRange(): BytesRange {
    return { bytes: this.payloadMemory, start: this.payloadStart, end: this.payloadEnd };
  }

  /**
   * The memory is used for other events from now on: bytes and message are gone, and what of URI and stamps was not
   * looked at before. Called by the subscription that lent the event.
   * @internal
   */
  giveBack(): void {
    this.bytes = givenBack;
    this.payloadBytes = undefined;
    this.cutEvent = undefined;
    this.cutPayload = undefined;
    this.decoded = undefined;
  }

  /** The same event with stamps added to its bytes or taken off: those from `start` to `end` differ in nothing else. */
  restamped(bytes: Buffer, start = 0, end = bytes.length): MeshEvent<T> {
    const { decoder, payloadMemory, payloadStart, payloadEnd } = this;
    const { publisher } = this.origin;
    const place = { eventStart: start, eventEnd: end, payloadStart, payloadEnd };
    const event = MeshEvent.within<T>(bytes, place, decoder, publisher === undefined ? noOrigin : { publisher });
    event.payloadBytes = payloadMemory;
    event.decodedHead = this.decodedHead;
    return event;
  }

  /**
   * The stamp of reception, which `eventBytes` does not have. Subscriptions of one client to one path share events: it
   * is that of the first.
   */
  get received(): Timestamp | undefined {
    return this.origin.received;
  }

  get uri(): Uri {
    return this.known.uri;
  }

  get timestamps(): readonly Timestamp[] {
    if (this.decodedStamps === undefined) {
      const stamps = decodeTimestamps(this.memory, this.eventStart, this.eventEnd, this.memo);
      if (this.origin.received !== undefined) stamps.push(this.origin.received);
      this.decodedStamps = stamps;
    }
    return this.decodedStamps;
  }

  get payloadLength(): number {
    return this.head.payloadLength;
  }

  get sequence(): number {
    if (this.knownSequence < 0) this.knownSequence = this.head.sequence;
    return this.knownSequence;
  }

  /** The topic, e.g. `/sample`. */
  get path(): string {
    return this.known.uri.path;
  }

  /** Name of the publishing service; empty when neither the receiver nor the URI knows. */
  get service(): string {
    return this.origin.publisher ?? serviceOfQuery(this.uri.query) ?? '';
  }

  /** Full name of the payload's message type; empty when the URI does not say. */
  get type(): string {
    return this.known.type;
  }

  /**
   * The payload as a natural JavaScript value, decoded once; the bytes themselves where the type is unknown.
   * Subscriptions of one client share it: treat it as read-only.
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

  private get known(): KnownUri {
    this.knownUri ??=
      this.uriStart === -1 ? this.head.known : this.memo.uris.read(this.memory, this.uriStart, this.uriEnd);
    return this.knownUri;
  }

  private get head(): EventHead {
    this.decodedHead ??= decodeHead(this.memory, this.eventStart, this.eventEnd, this.memo);
    return this.decodedHead;
  }

  private get memory(): Buffer {
    if (this.bytes === givenBack) {
      throw new MeshError(
        'failed-precondition',
        `an event of ${this.origin.publisher ?? 'a service'} was lent and is given back; copy what is needed of it, or subscribe without \`lend\``,
      );
    }
    return this.bytes;
  }

  private get payloadMemory(): Buffer {
    return this.payloadBytes ?? this.memory;
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
    const decode = (): unknown => this.decoder.registry.decode(type, payload);
    try {
      return this.decoder.cache === undefined
        ? decode()
        : this.decoder.cache.read(type, this.sequence, payload, decode);
    } catch (error) {
      throw new MeshError(
        'data-loss',
        `event ${this.sequence} of ${this.service}${this.path}: ${(error as Error).message}`,
        { cause: error },
      );
    }
  }
}
