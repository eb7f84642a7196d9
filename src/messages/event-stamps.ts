import { eventTags, stampTags } from './event-tags.js';
import type { Timestamp } from './timestamp.js';
import { lengthDelimited, text } from './uri-codec.js';
import { WireCursor } from './varint.js';

/*
 * Adds and takes off stamps of an encoded Event, and leaves every other byte as it is: what a recorder writes can be
 * made again what the publisher sent. Field numbers: protos/farm_ng/core/{event,timestamp}.proto.
 */

/** Encoded stamps as fields of an Event, whose seconds are filled in anew each time. */
export interface StampsTemplate {
  readonly bytes: Buffer;
  /** Where the eight bytes of the seconds of each stand. */
  readonly secondsAt: readonly number[];
}

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
    if (field !== eventTags.timestamp) cursor.skip(field & 7);
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
  private readonly template: StampsTemplate;

  constructor(stamps: readonly Pick<Timestamp, 'clockName' | 'semantics'>[]) {
    this.template = stampsTemplate(stamps);
  }

  /** The event with the stamps behind all that it has, `seconds` in the order of the constructor's. */
  append(eventBytes: Uint8Array, seconds: readonly number[]): Buffer {
    const { bytes: stamps, secondsAt } = this.template;
    const bytes = Buffer.allocUnsafe(eventBytes.length + stamps.length);
    bytes.set(eventBytes);
    bytes.set(stamps, eventBytes.length);
    for (let index = 0; index < secondsAt.length; index++) {
      bytes.writeDoubleLE(seconds[index]!, eventBytes.length + secondsAt[index]!);
    }
    return bytes;
  }
}

const eight = Buffer.alloc(8);

/** Stamps of these clocks and semantics, one behind the other. */
export function stampsTemplate(stamps: readonly Pick<Timestamp, 'clockName' | 'semantics'>[]): StampsTemplate {
  const secondsAt: number[] = [];
  const fields: Buffer[] = [];
  let length = 0;
  for (const { clockName, semantics } of stamps) {
    const names = Buffer.concat([text(stampTags.clockName, clockName), text(stampTags.semantics, semantics)]);
    // With seconds that are 0, which proto3 would leave out.
    const field = lengthDelimited(eventTags.timestamp, Buffer.concat([Buffer.of(stampTags.seconds), eight, names]));
    secondsAt.push(length + field.length - names.length - eight.length);
    fields.push(field);
    length += field.length;
  }
  return { bytes: Buffer.concat(fields), secondsAt };
}

function semanticsOf(cursor: WireCursor): string {
  let semantics = '';
  while (!cursor.done) {
    const field = cursor.uint32();
    if (field === stampTags.semantics) semantics = cursor.string();
    else cursor.skip(field & 7);
  }
  return semantics;
}
