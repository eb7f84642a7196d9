import { MeshError } from '../../base/errors.js';
import { type EventDecoder, MeshEvent } from '../../messages/mesh-event.js';
import { pathKey } from '../path-patterns.js';
import type { PathName } from '../path-table.js';
import type { RecordedEvent } from '../recording.js';
import { DescribedEvent } from './described-event.js';
import type { FileSchemas } from './file-schemas.js';
import { ForeignEvents, nameOfChannel } from './foreign-events.js';
import { eventSchemaName, eventTopicSuffix, messageHeadBytes } from './mcap-format.js';
import { readNanos } from './nanos.js';
import type { ChannelRecord } from './record-encoder.js';

/** A channel whose messages are payloads. */
export interface PayloadChannel {
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
  bytes: Buffer;
  start: number;
  end: number;
  sequence: number;
  timeS: number;
}

/** The part of a file that is wanted. */
export interface WantedEvents {
  /** Unix seconds; events at `toS` are left out. */
  readonly fromS: number;
  readonly toS: number;
  /** Asked once for each channel. */
  readonly matches: (key: string) => boolean;
}

/** An event that was found in a file. */
export interface FoundEvent extends RecordedEvent {
  readonly channel: PayloadChannel;
  /** The lower 32 bits. */
  readonly sequence: number;
}

/** Makes events of the messages of a file: of two messages where furrow wrote it, of one where another program did. */
export class MessagePairs {
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

  /**
   * Takes the message whose content stands in `bytes`, over whose whole buffer `view` is; gives the event that it
   * completes, if it is wanted. Errors: `data-loss`.
   */
  add(bytes: Buffer, view: DataView, start: number, end: number): FoundEvent | undefined {
    if (end - start < messageHeadBytes) throw new MeshError('data-loss', 'a message that is too short');
    const at = bytes.byteOffset + start;
    const id = view.getUint16(at, true);
    const sequence = view.getUint32(at + 2, true);
    const timeS = readNanos(view, at + 6);
    const dataStart = start + messageHeadBytes;
    const channel = this.payloads[id];
    if (channel === undefined) return this.complete(id, sequence, timeS, bytes.subarray(dataStart, end));
    if (!channel.isWanted || !(timeS >= this.wanted.fromS && timeS < this.wanted.toS)) return undefined;
    const { topic } = channel;
    if (topic.hasEvents) {
      topic.channel = channel;
      topic.bytes = bytes;
      topic.start = dataStart;
      topic.end = end;
      topic.sequence = sequence;
      topic.timeS = timeS;
      return undefined;
    }
    const payload = bytes.subarray(dataStart, end);
    const eventBytes = channel.foreign.encode(payload.length, sequence, readNanos(view, at + 14), timeS);
    return { event: this.event(channel, eventBytes, payload), timeS, channel, sequence };
  }

  private complete(id: number, sequence: number, timeS: number, eventBytes: Buffer): FoundEvent | undefined {
    const topic = this.events[id];
    if (topic === undefined) {
      throw new MeshError('data-loss', `a message of channel ${id}, which the file does not define`);
    }
    const { channel } = topic;
    topic.channel = undefined;
    // Without its payload it is not wanted, was lost, or was left out by whoever copied the file.
    if (channel === undefined || topic.sequence !== sequence || topic.timeS !== timeS) return undefined;
    const payload = topic.bytes.subarray(topic.start, topic.end);
    return { event: this.event(channel, eventBytes, payload), timeS, channel, sequence };
  }

  private event(channel: PayloadChannel, eventBytes: Buffer, payload: Buffer): MeshEvent {
    const { decoder, schemas } = this;
    const publisher = channel.name.service;
    return channel.isDescribed
      ? new DescribedEvent(eventBytes, payload, { decoder, publisher, schemas })
      : new MeshEvent(eventBytes, payload, decoder, { publisher });
  }

  private topic(name: string): Topic {
    let topic = this.topics.get(name);
    if (topic === undefined) {
      topic = { hasEvents: false, channel: undefined, bytes: none, start: 0, end: 0, sequence: 0, timeS: 0 };
      this.topics.set(name, topic);
    }
    return topic;
  }
}

const none = Buffer.alloc(0);
