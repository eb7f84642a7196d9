import { BinaryOpcode, type ServerMessage, type StatusLevel } from '@foxglove/ws-protocol';

/*
 * The server's side of Foxglove's WebSocket protocol, version 1, with the types and constants of its reference package.
 * That package's own server class is not used: it hands whatever it is given to each connection at once, however far
 * behind that is, keeps no count of what it drops (nothing), and offers one of the two names of the protocol.
 * Source: https://github.com/foxglove/ws-protocol/blob/main/docs/spec.md
 */

/** Names of one and the same protocol, the newer first: viewers of either age offer the one they know. */
export const subProtocols = ['foxglove.sdk.v1', 'foxglove.websocket.v1'] as const;

/** How values travel. `protobuf` for all channels; services are called in either. */
export type CallEncoding = 'json' | 'protobuf';

/** In the order of preference: the viewers' own panels for service calls write JSON. */
export const callEncodings: readonly CallEncoding[] = ['json', 'protobuf'];

/** The message of the protocol that is one line of JSON. */
export type TextMessage = Extract<ServerMessage, { readonly op: string }>;

export const messageHeaderBytes = 13;

/**
 * Opcode, subscription, log time, payload, in one buffer of its own.
 *
 * @param timeNs Unix time in nanoseconds.
 */
export function encodeMessage(subscriptionId: number, timeNs: bigint, payload: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(messageHeaderBytes + payload.length);
  frame[0] = BinaryOpcode.MESSAGE_DATA;
  frame.writeUInt32LE(subscriptionId, 1);
  frame.writeBigUInt64LE(timeNs, 5);
  frame.set(payload, messageHeaderBytes);
  return frame;
}

/** Opcode, service, call, encoding, reply. */
export function encodeReply(
  { serviceId, callId, encoding }: { serviceId: number; callId: number; encoding: CallEncoding },
  payload: Uint8Array,
): Buffer {
  const head = Buffer.alloc(13 + encoding.length);
  head[0] = BinaryOpcode.SERVICE_CALL_RESPONSE;
  head.writeUInt32LE(serviceId, 1);
  head.writeUInt32LE(callId, 5);
  head.writeUInt32LE(encoding.length, 9);
  head.write(encoding, 13, 'latin1');
  return Buffer.concat([head, payload]);
}

/** Something to show to the person at the viewer. One with the `id` of an earlier one takes its place. */
export function statusMessage(level: StatusLevel, message: string, id?: string): TextMessage {
  return { op: 'status', level, message, ...(id === undefined ? {} : { id }) };
}
