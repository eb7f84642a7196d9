/*
 * The frames of HTTP/2: nine bytes (length in 24 bits, type, flags, stream), then the payload.
 * Source: RFC 9113, sections 4, 6 and 7.
 */

export const frameHeaderBytes = 9;
/** Frames are at most this long until the other end allows more. */
export const defaultFrameBytes = 16 * 1024;
/** What their length can say. */
export const largestFrameBytes = 2 ** 24 - 1;
/** What may be sent on a connection, and on a stream, before the other end gives more. */
export const defaultWindowBytes = 65_535;
export const largestWindowBytes = 2 ** 31 - 1;

export const frameTypes = {
  data: 0,
  headers: 1,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

/** `endStream` belongs to DATA and HEADERS, `ack` to SETTINGS and PING. */
export const frameFlags = { endStream: 1, ack: 1, endHeaders: 4, padded: 8, priority: 32 } as const;

export const settingIds = {
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowBytes: 4,
  maxFrameBytes: 5,
  maxHeaderBytes: 6,
} as const;

export const errorCodes = {
  noError: 0,
  protocolError: 1,
  internalError: 2,
  flowControlError: 3,
  streamClosed: 5,
  frameSizeError: 6,
  refusedStream: 7,
  cancel: 8,
  compressionError: 9,
  enhanceYourCalm: 11,
  inadequateSecurity: 12,
} as const;

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** The first nine bytes of a frame. */
export function frameHeader(payloadBytes: number, type: number, flags: number, stream: number): Buffer {
  const header = Buffer.allocUnsafe(frameHeaderBytes);
  header.writeUIntBE(payloadBytes, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(stream, 5);
  return header;
}

/** A frame whose payload is a list of 32-bit numbers: RST_STREAM, WINDOW_UPDATE, GOAWAY. */
export function numbersFrame(type: number, stream: number, ...numbers: number[]): Buffer {
  const frame = Buffer.allocUnsafe(frameHeaderBytes + 4 * numbers.length);
  frameHeader(4 * numbers.length, type, 0, stream).copy(frame);
  for (const [index, number] of numbers.entries()) frame.writeUInt32BE(number, frameHeaderBytes + 4 * index);
  return frame;
}

export function settingsFrame(settings: ReadonlyMap<number, number>): Buffer {
  const frame = Buffer.allocUnsafe(frameHeaderBytes + 6 * settings.size);
  frameHeader(6 * settings.size, frameTypes.settings, 0, 0).copy(frame);
  let at = frameHeaderBytes;
  for (const [id, value] of settings) {
    frame.writeUInt16BE(id, at);
    frame.writeUInt32BE(value, at + 2);
    at += 6;
  }
  return frame;
}

export function readSettings(payload: Buffer): Map<number, number> {
  const settings = new Map<number, number>();
  for (let at = 0; at < payload.length; at += 6) settings.set(payload.readUInt16BE(at), payload.readUInt32BE(at + 2));
  return settings;
}
