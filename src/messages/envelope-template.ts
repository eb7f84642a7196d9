import type { Clock } from '../base/clock.js';
import { encodeTimestamp } from './envelope.js';
import { stampsTemplate } from './event-stamps.js';
import { envelopeTags, eventTags } from './event-tags.js';
import type { Timestamp } from './timestamp.js';
import type { Uri } from './uri.js';
import { encodeUri, lengthDelimited } from './uri-codec.js';
import { varintSize, writeVarint } from './varint.js';

/** Writes the events of one path: everything that does not change from event to event is encoded once. */
export class EnvelopeTemplate {
  readonly uri: Uri;
  /** The URI, and the two stamps behind it, where no others come between them. */
  private readonly uriAndStamps: Buffer;
  private readonly uriBytes: number;
  /** Where the seconds of the two stand behind the URI. */
  private readonly monotonicAt: number;
  private readonly systemAt: number;
  private readonly clock: Clock;

  /** `sendSemantics` names the two stamps of `clock` that every event gets at its end. */
  constructor(uri: Uri, clock: Clock, sendSemantics: string) {
    this.uri = uri;
    this.clock = clock;
    const head = lengthDelimited(eventTags.uri, encodeUri(uri));
    this.uriBytes = head.length;
    const clocks = [clock.monotonicName, clock.systemName];
    const { bytes, secondsAt } = stampsTemplate(clocks.map((clockName) => ({ clockName, semantics: sendSemantics })));
    [this.monotonicAt, this.systemAt] = secondsAt as [number, number];
    this.uriAndStamps = Buffer.concat([head, bytes]);
  }

  /** How many bytes `write` will write before the payload's own. */
  headSize(head: EnvelopeHead): number {
    const { payloadLength } = head;
    const eventSize = this.eventSize(head);
    return 1 + varintSize(eventSize) + eventSize + (payloadLength === 0 ? 0 : 1 + varintSize(payloadLength));
  }

  /**
   * Writes an envelope up to where its payload begins: `stamps` first, then this moment's two. Gives the offset behind
   * it, where a payload of `payloadLength` bytes must follow.
   */
  writeHead(bytes: Buffer, offset: number, head: EnvelopeHead): number {
    const { payloadLength, sequence, stamps, monotonicS } = head;
    let at = offset;
    bytes[at++] = envelopeTags.event;
    at = writeVarint(bytes, at, this.eventSize(head));
    const { uriAndStamps, uriBytes } = this;
    if (stamps.length === 0) {
      bytes.set(uriAndStamps, at);
      at += uriBytes;
    } else {
      at += uriAndStamps.copy(bytes, at, 0, uriBytes);
      for (const stamp of stamps) at += stamp.copy(bytes, at);
      uriAndStamps.copy(bytes, at, uriBytes);
    }
    bytes.writeDoubleLE(monotonicS, at + this.monotonicAt);
    bytes.writeDoubleLE(this.clock.system(), at + this.systemAt);
    at += uriAndStamps.length - uriBytes;
    if (payloadLength > 0) {
      bytes[at++] = eventTags.payloadLength;
      at = writeVarint(bytes, at, payloadLength);
    }
    if (sequence > 0) {
      bytes[at++] = eventTags.sequence;
      at = writeVarint(bytes, at, sequence);
    }
    if (payloadLength > 0) {
      bytes[at++] = envelopeTags.payload;
      at = writeVarint(bytes, at, payloadLength);
    }
    return at;
  }

  /** One envelope in a buffer of its own, with `timestamps` first and this moment's two stamps behind them. */
  encode(payload: Uint8Array, sequence: number, timestamps?: readonly Timestamp[]): Buffer {
    const stamps = encodeStamps(timestamps);
    const head = { payloadLength: payload.length, sequence, stamps, monotonicS: this.clock.monotonic() };
    const bytes = Buffer.allocUnsafe(this.headSize(head) + payload.length);
    bytes.set(payload, this.writeHead(bytes, 0, head));
    return bytes;
  }

  private eventSize({ payloadLength, sequence, stamps }: EnvelopeHead): number {
    let size = this.uriAndStamps.length;
    for (const stamp of stamps) size += stamp.length;
    if (payloadLength > 0) size += 1 + varintSize(payloadLength);
    if (sequence > 0) size += 1 + varintSize(sequence);
    return size;
  }
}

/** What an envelope says before its payload. */
export interface EnvelopeHead {
  readonly payloadLength: number;
  readonly sequence: number;
  /** Encoded stamps that go before the two of sending. */
  readonly stamps: readonly Buffer[];
  /** The moment, by the clock's `monotonic`. */
  readonly monotonicS: number;
}

const noStamps: readonly Buffer[] = [];

/** Stamps as they stand in an Event. */
export function encodeStamps(timestamps: readonly Timestamp[] | undefined): readonly Buffer[] {
  if (timestamps === undefined || timestamps.length === 0) return noStamps;
  return timestamps.map((stamp) => lengthDelimited(eventTags.timestamp, encodeTimestamp(stamp)));
}
