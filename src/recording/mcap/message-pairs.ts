import { MeshError } from '../../base/errors.js';
import { type EventDecoder, MeshEvent } from '../../messages/mesh-event.js';
import { type BytesPart, bufferOf, noBytes, viewOf } from '../bytes-part.js';
import type { EventParts } from '../event-file-writer.js';
import { pathKey } from '../path-patterns.js';
import type { PathName } from '../path-table.js';
import { DescribedEvent } from './described-event.js';
import type { FileSchemas } from './file-schemas.js';
import { ForeignEvents, nameOfChannel } from './foreign-events.js';
import { eventSchemaName, eventTopicSuffix, logTimeAt, messageHeadBytes, publishTimeAt } from './mcap-format.js';
import { Nanos } from './nanos.js';
import type { ChannelRecord } from './record-encoder.js';

/** A channel whose messages are payloads. */
interface PayloadChannel {
  readonly name: PathName;
  readonly topic: Topic;
  /** Only the file knows its type. */
  readonly isDescribed: boolean;
  readonly isWanted: boolean;
  /** Makes events where the file has none. */
  readonly foreign: ForeignEvents;
}

/** What the channels of a topic and of its events share: the payload whose event is still to come. */
interface Topic {
  /** Whether there is a channel of events. */
  hasEvents: boolean;
  /** That of the payload; undefined when none waits. */
  channel: PayloadChannel | undefined;
  view: DataView;
  start: number;
  end: number;
  sequence: number;
  timeS: number;
  /** The same as it stands in the file, in two halves. */
  low: number;
  high: number;
}

/** The part of a file that is wanted. */
export interface WantedEvents {
  /** Unix seconds; events at `toS` are left out. */
  readonly fromS: number;
  readonly toS: number;
  /** Asked once for each channel. */
  readonly matches: (key: string) => boolean;
}

/** Set anew for each event. */
type FoundPart = { -readonly [Key in keyof BytesPart]: BytesPart[Key] };

/**
 * Finds the events of a file among its messages: two make one where furrow wrote it, one where another program did. The
 * fields tell of the event that `add` found last, until the next `add`.
 */
export class MessagePairs implements EventParts {
  readonly event: FoundPart = { ...noBytes };
  readonly payload: FoundPart = { ...noBytes };
  timeS = 0;
  /** The lower 32 bits. */
  sequence = 0;
  private found: PayloadChannel | undefined;
  /** Of the message that is looked at. */
  private readonly time = new Nanos();
  private readonly topics = new Map<string, Topic>();
  /** By channel: arrays, since every message looks here. */
  private readonly payloads: (PayloadChannel | undefined)[] = [];
  private readonly events: (Topic | undefined)[] = [];
  private readonly schemas: FileSchemas;
  private readonly decoder: EventDecoder;
  private readonly wanted: WantedEvents;

  constructor(schemas: FileSchemas, decoder: EventDecoder, wanted: WantedEvents) {
    this.schemas = schemas;
    this.decoder = decoder;
    this.wanted = wanted;
  }

  addChannel(record: ChannelRecord): void {
    const { id, topic } = record;
    if (this.payloads[id] !== undefined || this.events[id] !== undefined) return;
    const type = this.schemas.nameOf(record.schemaId);
    if (type === eventSchemaName && topic.endsWith(eventTopicSuffix)) {
      const shared = this.topic(topic.slice(0, -eventTopicSuffix.length));
      shared.hasEvents = true;
      this.events[id] = shared;
      return;
    }
    this.schemas.addChannel(record);
    const name = nameOfChannel(record, type);
    this.payloads[id] = {
      name,
      topic: this.topic(topic),
      isDescribed: !this.decoder.registry.has(name.type),
      isWanted: this.wanted.matches(pathKey(name)),
      foreign: new ForeignEvents(name),
    };
  }

  /** Whether a chunk that has messages of these channels may have some that are wanted. */
  wantsAny(channels: Iterable<number>): boolean {
    // A channel that nobody has defined yet may be one.
    for (const id of channels) if (this.payloads[id]?.isWanted ?? this.events[id] === undefined) return true;
    return false;
  }

  /** Which path the event that was found last is of. */
  get name(): PathName {
    if (this.found === undefined) throw new MeshError('internal', 'no event was found yet');
    return this.found.name;
  }

  toEvent(): MeshEvent {
    const { decoder, schemas, event, payload } = this;
    const publisher = this.name.service;
    const eventBytes = bufferOf(event);
    const payloadBytes = bufferOf(payload);
    return this.found?.isDescribed
      ? new DescribedEvent(eventBytes, payloadBytes, { decoder, publisher, schemas })
      : new MeshEvent(eventBytes, payloadBytes, decoder, { publisher });
  }

  /** Copies the payloads whose events are still to come, since the bytes that they stand in are used again. */
  keepWaiting(): void {
    for (const topic of this.topics.values()) {
      if (topic.channel === undefined) continue;
      topic.view = viewOf(Buffer.from(bufferOf(topic)));
      topic.end -= topic.start;
      topic.start = 0;
    }
  }

  /**
   * Takes the message whose content stands in `view`; gives whether it completes an event that is wanted.
   * Errors: `data-loss`.
   */
  add(view: DataView, start: number, end: number): boolean {
    if (end - start < messageHeadBytes) throw new MeshError('data-loss', 'a message that is too short');
    const id = view.getUint16(start, true);
    const sequence = view.getUint32(start + 2, true);
    const dataStart = start + messageHeadBytes;
    const channel = this.payloads[id];
    if (channel === undefined) {
      const topic = this.events[id];
      if (topic === undefined) {
        throw new MeshError('data-loss', `a message of channel ${id}, which the file does not define`);
      }
      const payloadOf = topic.channel;
      topic.channel = undefined;
      // Without its payload it is not wanted, was lost, or was left out by whoever copied the file.
      if (payloadOf === undefined || topic.sequence !== sequence || !isTime(topic, view, start + logTimeAt))
        return false;
      setPart(this.event, view, dataStart, end);
      setPart(this.payload, topic.view, topic.start, topic.end);
      return this.take(payloadOf, sequence, topic.timeS);
    }
    if (!channel.isWanted) return false;
    const { topic } = channel;
    const timeS = this.time.read(view, start + logTimeAt);
    if (!(timeS >= this.wanted.fromS && timeS < this.wanted.toS)) return false;
    if (topic.hasEvents) {
      topic.channel = channel;
      topic.view = view;
      topic.start = dataStart;
      topic.end = end;
      topic.sequence = sequence;
      topic.timeS = timeS;
      topic.low = this.time.low;
      topic.high = this.time.high;
      return false;
    }
    const publishedS = this.time.read(view, start + publishTimeAt);
    const event = channel.foreign.encode(end - dataStart, sequence, publishedS, timeS);
    setPart(this.event, viewOf(event), 0, event.length);
    setPart(this.payload, view, dataStart, end);
    return this.take(channel, sequence, timeS);
  }

  private take(channel: PayloadChannel, sequence: number, timeS: number): true {
    this.found = channel;
    this.sequence = sequence;
    this.timeS = timeS;
    return true;
  }

  private topic(name: string): Topic {
    let topic = this.topics.get(name);
    if (topic === undefined) {
      topic = {
        hasEvents: false,
        channel: undefined,
        view: noBytes.view,
        start: 0,
        end: 0,
        sequence: 0,
        timeS: 0,
        low: 0,
        high: 0,
      };
      this.topics.set(name, topic);
    }
    return topic;
  }
}

function isTime({ low, high }: Topic, view: DataView, at: number): boolean {
  return view.getUint32(at, true) === low && view.getUint32(at + 4, true) === high;
}

function setPart(part: FoundPart, view: DataView, start: number, end: number): void {
  part.view = view;
  part.start = start;
  part.end = end;
}
