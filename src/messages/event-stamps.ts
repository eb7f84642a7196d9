import type { Timestamp } from './timestamp.js';
import { lengthDelimited, text } from './uri-codec.js';
import { WireCursor } from './varint.js';

/*
 * Adds and takes off stamps of an encoded Event, and leaves every other byte as it is: what a recorder writes can be
 * made again what the publisher sent. Field numbers: protos/farm_ng/core/{event,timestamp}.proto.
 */

const tag = { eventTimestamp: 0x12, stampSeconds: 0x09, stampClockName: 0x12, stampSemantics: 0x1a } as const;

/** The event with `stamp` behind all that it has. */
export function appendStamp(eventBytes: Uint8Array, stamp: Timestamp): Buffer {
  return new EventStamper([stamp]).append(eventBytes, [stamp.stamp]);
}

/**
 * The event without the stamps that have one of these semantics; the very same bytes when it has none of them.
 * Errors: `data-loss` when the bytes are no Event.
 */
export function removeStamps(eventBytes: Buffer, semantics: readonly string[]): Buffer {
  const kept: Buffer[] = [];
  const cursor = new WireCursor(eventBytes);
  let from = 0;
  while (!cursor.done) {
    const at = cursor.at;
    const field = cursor.uint32();
    if (field !== tag.eventTimestamp) cursor.skip(field & 7);
    else {
      const start = cursor.skipLength();
      if (!semantics.includes(semanticsOf(new WireCursor(eventBytes, start, cursor.at)))) continue;
      if (at > from) kept.push(eventBytes.subarray(from, at));
      from = cursor.at;
    }
  }
  if (from === 0) return eventBytes;
  kept.push(eventBytes.subarray(from));
  return Buffer.concat(kept);
}

/** Adds stamps of the same clocks and semantics to many events: what does not change is encoded once. */
export class EventStamper {
  private readonly template: Buffer;
  /** Where in the template the seconds of each stamp stand. */
  private readonly secondsAt: readonly number[];

  constructor(stamps: readonly Pick<Timestamp, 'clockName' | 'semantics'>[]) {
    const secondsAt: number[] = [];
    const fields: Buffer[] = [];
    let length = 0;
    for (const { clockName, semantics } of stamps) {
      const names = Buffer.concat([text(tag.stampClockName, clockName), text(tag.stampSemantics, semantics)]);
      const field = lengthDelimited(tag.eventTimestamp, Buffer.concat([Buffer.of(tag.stampSeconds), eight, names]));
      secondsAt.push(length + field.length - names.length - eight.length);
      fields.push(field);
      length += field.length;
    }
    this.template = Buffer.concat(fields);
    this.secondsAt = secondsAt;
  }

  /** The event with the stamps behind all that it has, `seconds` in the order of the constructor's. */
  append(eventBytes: Uint8Array, seconds: readonly number[]): Buffer {
    const { template, secondsAt } = this;
    const bytes = Buffer.allocUnsafe(eventBytes.length + template.length);
    bytes.set(eventBytes);
    bytes.set(template, eventBytes.length);
    for (let index = 0; index < secondsAt.length; index++) {
      bytes.writeDoubleLE(seconds[index]!, eventBytes.length + secondsAt[index]!);
    }
    return bytes;
  }
}

const eight = Buffer.alloc(8);

function semanticsOf(cursor: WireCursor): string {
  let semantics = '';
  while (!cursor.done) {
    const field = cursor.uint32();
    if (field === tag.stampSemantics) semantics = cursor.string();
    else cursor.skip(field & 7);
  }
  return semantics;
}
