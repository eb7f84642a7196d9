import type { Clock } from '../base/clock.js';
import { encodeTimestamp, envelopeTags as tag } from './envelope.js';
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
  private readonly monotonic: StampTemplate;
  private readonly system: StampTemplate;
  private readonly clock: Clock;

  /** `sendSemantics` names the two stamps of `clock` that every event gets at its end. */
  constructor(uri: Uri, clock: Clock, sendSemantics: string) {
    this.uri = uri;
    this.clock = clock;
    const head = lengthDelimited(tag.eventUri, encodeUri(uri));
    this.uriBytes = head.length;
    this.monotonic = stampTemplate(clock.monotonicName, sendSemantics);
    this.system = stampTemplate(clock.systemName, sendSemantics);
    this.uriAndStamps = Buffer.concat([head, this.monotonic.bytes, this.system.bytes]);
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
    bytes[at++] = tag.envelopeEvent;
    at = writeVarint(bytes, at, this.eventSize(head));
    const { uriAndStamps, uriBytes, monotonic, system } = this;
    if (stamps.length === 0) {
      bytes.set(uriAndStamps, at);
      at += uriBytes;
    } else {
      at += uriAndStamps.copy(bytes, at, 0, uriBytes);
      for (const stamp of stamps) at += stamp.copy(bytes, at);
      uriAndStamps.copy(bytes, at, uriBytes);
    }
    bytes.writeDoubleLE(monotonicS, at + monotonic.secondsAt);
    at += monotonic.bytes.length;
    bytes.writeDoubleLE(this.clock.system(), at + system.secondsAt);
    at += system.bytes.length;
    if (payloadLength > 0) {
      bytes[at++] = tag.eventPayloadLength;
      at = writeVarint(bytes, at, payloadLength);
    }
    if (sequence > 0) {
      bytes[at++] = tag.eventSequence;
      at = writeVarint(bytes, at, sequence);
    }
    if (payloadLength > 0) {
      bytes[at++] = tag.envelopePayload;
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
  return timestamps.map((stamp) => lengthDelimited(tag.eventTimestamp, encodeTimestamp(stamp)));
}

/** An encoded stamp whose seconds are filled in anew each time. */
interface StampTemplate {
  readonly bytes: Buffer;
  /** Where the eight bytes of the seconds stand. */
  readonly secondsAt: number;
}

function stampTemplate(clockName: string, semantics: string): StampTemplate {
  // Any stamp but 0, which proto3 would leave out, reserves the eight bytes.
  const stamp = encodeTimestamp({ stamp: 1, clockName, semantics });
  const bytes = lengthDelimited(tag.eventTimestamp, stamp);
  return { bytes, secondsAt: bytes.length - stamp.length + 1 };
}
