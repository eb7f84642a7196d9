/*
 * Tags of the messages that are read and written by hand: field number and wire type in one byte. Field numbers:
 * protos/farm_ng/core/{timestamp,event,event_service}.proto.
 */

/** SubscribeReply, RequestReplyRequest and RequestReplyReply. */
export const envelopeTags = { event: 0x0a, payload: 0x12 } as const;

export const eventTags = { uri: 0x0a, timestamp: 0x12, payloadLength: 0x18, sequence: 0x20 } as const;

export const stampTags = { seconds: 0x09, clockName: 0x12, semantics: 0x1a } as const;
