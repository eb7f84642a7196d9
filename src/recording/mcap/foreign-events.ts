import { encodeEvent } from '../../messages/envelope.js';
import { semantics } from '../../messages/timestamp.js';
import { eventUri, normalizePath } from '../../messages/uri.js';
import type { PathName } from '../path-table.js';
import type { ChannelRecord } from './record-encoder.js';

/** Stands for the host and its clocks in events that are made of messages of other programs. */
const host = 'mcap';

/**
 * What service and path a channel of another program is: as its metadata says where furrow wrote it; else the topic
 * up to its first slash, or `mcap` for a topic that begins with one or has none.
 */
export function nameOfChannel({ topic, metadata }: ChannelRecord, type: string): PathName {
  const { service, path, pb = '' } = metadata;
  if (service !== undefined && path !== undefined && topic === `${service}${normalizePath(path)}`) {
    return { service, path, type: metadata.type ?? type, pb };
  }
  const slash = topic.indexOf('/');
  if (slash < 1 || slash === topic.length - 1)
    return { service: host, path: normalizePath(topic || 'unnamed'), type, pb };
  return { service: topic.slice(0, slash), path: topic.slice(slash), type, pb };
}

/** Makes an encoded Event of what a message says: for files of programs that know nothing of events. */
export class ForeignEvents {
  private readonly uri: ReturnType<typeof eventUri>;

  constructor({ service, path, type, pb }: PathName) {
    // Such text would end a part of the query.
    const plain = (text: string): string => text.replace(/[&=]/g, '_');
    this.uri = eventUri(host, path, plain(type), plain(pb), plain(service));
  }

  /** `sentS` and `loggedS`: Unix seconds of publishing and recording. */
  encode(payloadLength: number, sequence: number, sentS: number, loggedS: number): Buffer {
    const timestamps = [
      { stamp: sentS, clockName: `${host}/system_clock/UTC`, semantics: semantics.serviceSend },
      { stamp: loggedS, clockName: `${host}/monotonic`, semantics: semantics.fileWrite },
    ];
    return encodeEvent({ uri: this.uri, timestamps, payloadLength, sequence });
  }
}
