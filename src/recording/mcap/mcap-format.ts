/*
 * Constants of the MCAP file format, version 0. A file is magic, header, data section, summary section, summary offset
 * section, footer, magic; each section is a sequence of records `<u8 opcode><u64 length><content>`, little-endian.
 * Source: https://mcap.dev/spec
 */

export const magic = Buffer.from([0x89, 0x4d, 0x43, 0x41, 0x50, 0x30, 0x0d, 0x0a]);

export const opcode = {
  header: 0x01,
  footer: 0x02,
  schema: 0x03,
  channel: 0x04,
  message: 0x05,
  chunk: 0x06,
  messageIndex: 0x07,
  chunkIndex: 0x08,
  attachment: 0x09,
  attachmentIndex: 0x0a,
  statistics: 0x0b,
  metadata: 0x0c,
  metadataIndex: 0x0d,
  summaryOffset: 0x0e,
  dataEnd: 0x0f,
} as const;

/** Opcode and length before the content of a record. */
export const recordHeadBytes = 9;

/** Channel, sequence and two times before the data of a message. */
export const messageHeadBytes = 22;

/** Where in that the two times stand. */
export const logTimeAt = 6;
export const publishTimeAt = 14;

/** Times, uncompressed size and checksum at the start of a chunk's content. */
export const chunkHeadBytes = 28;

/** The topic of the channel that holds the Event bytes of the events on `topic`. */
export function eventTopic(topic: string): string {
  return `${topic}${eventTopicSuffix}`;
}

/** What tells the channel of the Event bytes from the channel of the payloads. */
export const eventTopicSuffix = '#event';

/** The schema of the Event bytes. */
export const eventSchemaName = 'farm_ng.core.proto.Event';

/** The Metadata record in which furrow keeps what a summary of the file needs and Statistics does not hold. */
export const summaryMetadataName = 'furrow/summary';
