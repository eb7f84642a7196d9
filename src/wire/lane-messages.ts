import { MeshError } from '../base/errors.js';
import { varintSize, WireCursor, writeVarint } from '../messages/varint.js';

/*
 * The messages of the request lane, written and read by hand, because they are on the path of every request. Both
 * directions are lists of one field, so a tick's requests or replies are one gRPC message and one write.
 * Field numbers: protos/furrow/request_lane.proto.
 */

export const laneServiceName = 'furrow.RequestLane';
export const lanePath = `/${laneServiceName}/requests`;
/** In which the server says how long a message it takes on its lane, in bytes. */
export const laneBytesHeader = 'furrow-lane-bytes';

/** No message on a lane is made longer: a long one would hold up those behind it. A request above goes another way. */
export const laneMessageBytes = 64 * 1024;
/** Longest part of a reply in one LaneReply; longer replies come in pieces, between which others pass. */
export const lanePieceBytes = 48 * 1024;
/** What a LaneRequest or LaneReply takes at most beside its request, reply or message. */
export const laneOverheadBytes = 40;

const tag = {
  item: 0x0a,
  id: 0x08,
  body: 0x12,
  timeoutMs: 0x18,
  cancel: 0x20,
  code: 0x18,
  message: 0x22,
  more: 0x28,
} as const;

const empty: Buffer = Buffer.alloc(0);

export interface LaneRequest {
  readonly id: number;
  /** Undefined: the request of this id is taken back. */
  readonly request: Uint8Array | undefined;
  /** Milliseconds; 0: without end. */
  readonly timeoutMs: number;
}

export interface LaneReply {
  readonly id: number;
  readonly reply: Uint8Array;
  /** gRPC status; 0: answered. */
  readonly code: number;
  readonly message: string;
  /** Another piece of the reply follows. */
  readonly more: boolean;
}

export function encodeRequests(requests: readonly LaneRequest[]): Buffer {
  let size = 0;
  for (const request of requests) {
    const item = requestSize(request);
    size += 1 + varintSize(item) + item;
  }
  const bytes = Buffer.allocUnsafe(size);
  let at = 0;
  for (const laneRequest of requests) {
    const { id, request, timeoutMs } = laneRequest;
    bytes[at++] = tag.item;
    at = writeVarint(bytes, at, requestSize(laneRequest));
    bytes[at++] = tag.id;
    at = writeVarint(bytes, at, id);
    if (request === undefined) {
      bytes[at++] = tag.cancel;
      bytes[at++] = 1;
      continue;
    }
    at = writeBody(bytes, at, request);
    if (timeoutMs > 0) {
      bytes[at++] = tag.timeoutMs;
      at = writeVarint(bytes, at, timeoutMs);
    }
  }
  return bytes;
}

export function encodeReplies(replies: readonly LaneReply[]): Buffer {
  let size = 0;
  for (const reply of replies) {
    const item = replySize(reply);
    size += 1 + varintSize(item) + item;
  }
  const bytes = Buffer.allocUnsafe(size);
  let at = 0;
  for (const laneReply of replies) {
    const { id, reply, code, message, more } = laneReply;
    bytes[at++] = tag.item;
    at = writeVarint(bytes, at, replySize(laneReply));
    bytes[at++] = tag.id;
    at = writeVarint(bytes, at, id);
    at = writeBody(bytes, at, reply);
    if (code > 0) {
      bytes[at++] = tag.code;
      at = writeVarint(bytes, at, code);
    }
    if (message !== '') {
      bytes[at++] = tag.message;
      at = writeVarint(bytes, at, Buffer.byteLength(message));
      at += bytes.write(message, at);
    }
    if (more) {
      bytes[at++] = tag.more;
      bytes[at++] = 1;
    }
  }
  return bytes;
}

/** Reads a LaneRequests one request at a time, so that a reader can stop between two. */
export class LaneRequestReader {
  private readonly cursor: WireCursor;

  constructor(message: Buffer) {
    this.cursor = new WireCursor(message);
  }

  /** The next request; undefined behind the last. Errors: `data-loss` and `out-of-range` for bytes that are none. */
  next(): TakenRequest | undefined {
    const item = nextItem(this.cursor);
    if (item === undefined) return undefined;
    let id = 0;
    let request = empty;
    let timeoutMs = 0;
    let cancel = false;
    while (!item.done) {
      const field = item.uint32();
      if (field === tag.id) id = naturalId(item);
      else if (field === tag.body) request = slice(item);
      else if (field === tag.timeoutMs) timeoutMs = item.uint32();
      else if (field === tag.cancel) cancel = item.int64() !== 0;
      else item.skip(field & 7);
    }
    return { id, request: cancel ? undefined : request, timeoutMs };
  }
}

/** A request as a view of its message. */
export type TakenRequest = LaneRequest & { readonly request: Buffer | undefined };

/** Calls `take` with each reply of a LaneReplies. Errors: as `LaneRequestReader.next`. */
export function readReplies(message: Buffer, take: (reply: LaneReply & { readonly reply: Buffer }) => void): void {
  const cursor = new WireCursor(message);
  for (let item = nextItem(cursor); item !== undefined; item = nextItem(cursor)) {
    let id = 0;
    let reply = empty;
    let code = 0;
    let text = '';
    let more = false;
    while (!item.done) {
      const field = item.uint32();
      if (field === tag.id) id = naturalId(item);
      else if (field === tag.body) reply = slice(item);
      else if (field === tag.code) code = item.uint32();
      else if (field === tag.message) text = item.string();
      else if (field === tag.more) more = item.int64() !== 0;
      else item.skip(field & 7);
    }
    take({ id, reply, code, message: text, more });
  }
}

/** The next item of the list; fields that a later version may add are passed over. */
function nextItem(cursor: WireCursor): WireCursor | undefined {
  while (!cursor.done) {
    const field = cursor.uint32();
    if (field === tag.item) {
      const start = cursor.skipLength();
      return new WireCursor(cursor.bytes, start, cursor.at);
    }
    cursor.skip(field & 7);
  }
  return undefined;
}

function naturalId(item: WireCursor): number {
  const id = item.int64();
  if (id < 0) throw new MeshError('out-of-range', `the id ${id} is not one from 0 to 2^53 - 1`);
  return id;
}

function slice(item: WireCursor): Buffer {
  const start = item.skipLength();
  return item.bytes.subarray(start, item.at);
}

function requestSize({ id, request, timeoutMs }: LaneRequest): number {
  const head = 1 + varintSize(id);
  if (request === undefined) return head + 2;
  return head + bodySize(request) + (timeoutMs === 0 ? 0 : 1 + varintSize(timeoutMs));
}

function replySize({ id, reply, code, message, more }: LaneReply): number {
  let size = 1 + varintSize(id) + bodySize(reply);
  if (code > 0) size += 1 + varintSize(code);
  if (message !== '') {
    const length = Buffer.byteLength(message);
    size += 1 + varintSize(length) + length;
  }
  return more ? size + 2 : size;
}

function bodySize(body: Uint8Array): number {
  return body.length === 0 ? 0 : 1 + varintSize(body.length) + body.length;
}

function writeBody(bytes: Buffer, at: number, body: Uint8Array): number {
  if (body.length === 0) return at;
  bytes[at] = tag.body;
  const start = writeVarint(bytes, at + 1, body.length);
  bytes.set(body, start);
  return start + body.length;
}
