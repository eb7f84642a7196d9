import type { ClientStream } from './client-stream.js';
import type { FrameSink } from './frame-splitter.js';
import {
  defaultFrameBytes,
  errorCodes,
  type Frame,
  frameFlags,
  frameHeader,
  frameTypes,
  largestFrameBytes,
  largestWindowBytes,
  numbersFrame,
  readSettings,
  settingIds,
} from './frames.js';
import { HeaderDecoder, maxHeaderBytes } from './header-decoder.js';
import type { Memory } from './memory.js';
import { ProtocolError } from './protocol-error.js';

/** What the frames of a connection do to it. */
export interface FrameTarget {
  /** Undefined when the stream is over. Errors: `ProtocolError` for one that was never begun. */
  streamOf(id: number): ClientStream | undefined;
  settings(settings: ReadonlyMap<number, number>): void;
  /** The other end takes no stream after `lastStream`. */
  goaway(lastStream: number, code: number, reason: string): void;
  /** The connection, or one of its streams, may send so much more. */
  windowUpdate(stream: ClientStream | undefined, bytes: number): void;
  control(frame: Buffer): void;
}

// What a piece of a header block counts beside its bytes: many empty ones are an attack as well.
const pieceOverheadBytes = 32;
// What values these settings can have, and what is said of others. Source: RFC 9113, section 6.5.2.
const legalSettings: readonly (readonly [id: number, least: number, most: number, code: number])[] = [
  [settingIds.enablePush, 0, 0, errorCodes.protocolError],
  [settingIds.initialWindowBytes, 0, largestWindowBytes, errorCodes.flowControlError],
  [settingIds.maxFrameBytes, defaultFrameBytes, largestFrameBytes, errorCodes.protocolError],
];

/** Hands what a server sends to the streams, and keeps the rules that concern the whole connection. */
export class IncomingFrames implements FrameSink {
  private readonly target: FrameTarget;
  private readonly windowBytes: number;
  private readonly headers = new HeaderDecoder();
  /** What the other end may still send, and what was taken since it was told so. */
  private window: number;
  private credit = 0;
  private hasBegun = false;
  /** A header block that goes on in the next frame. */
  private block: { readonly first: Frame; readonly pieces: Buffer[]; bytes: number } | undefined;
  private touched: ClientStream[] = [];

  constructor(target: FrameTarget, windowBytes: number) {
    this.target = target;
    this.windowBytes = windowBytes;
    this.window = windowBytes;
  }

  data(id: number, memory: Memory, start: number, end: number): void {
    this.take(end - start);
    const stream = this.target.streamOf(id);
    if (stream === undefined) return;
    this.touch(stream);
    stream.receive(memory, start, end);
  }

  padding(id: number, bytes: number): void {
    this.take(bytes);
    const stream = this.target.streamOf(id);
    if (stream === undefined) return;
    this.touch(stream);
    stream.receivePadding(bytes);
  }

  dataEnd(id: number): void {
    const stream = this.target.streamOf(id);
    stream?.settle();
    stream?.receiveEnd();
  }

  frame(frame: Frame): void {
    const { type, flags, stream, payload } = frame;
    if (!this.hasBegun && (type !== frameTypes.settings || (flags & frameFlags.ack) !== 0)) {
      throw new ProtocolError(errorCodes.protocolError, 'it does not begin with its settings');
    }
    this.hasBegun = true;
    if (this.block !== undefined && (type !== frameTypes.continuation || stream !== this.block.first.stream)) {
      throw cutBlock();
    }
    switch (type) {
      case frameTypes.headers:
        this.block = { first: frame, pieces: [], bytes: 0 };
        this.addHeaders(withoutPriority(frame), flags);
        break;
      case frameTypes.continuation:
        this.addHeaders(payload, flags);
        break;
      case frameTypes.rstStream:
        expectLength(payload, 4);
        this.target.streamOf(stream)?.reset(payload.readUInt32BE(0));
        break;
      case frameTypes.settings:
        expectNoStream(stream);
        this.readSettings(payload, flags);
        break;
      case frameTypes.ping:
        expectNoStream(stream);
        expectLength(payload, 8);
        if ((flags & frameFlags.ack) !== 0) break;
        this.target.control(Buffer.concat([frameHeader(8, frameTypes.ping, frameFlags.ack, 0), payload]));
        break;
      case frameTypes.goaway:
        expectNoStream(stream);
        if (payload.length < 8) expectLength(payload, 8);
        this.target.goaway(payload.readUInt32BE(0) & 0x7fffffff, payload.readUInt32BE(4), payload.toString('utf8', 8));
        break;
      case frameTypes.windowUpdate:
        this.windowUpdate(stream, payload);
        break;
      case frameTypes.pushPromise:
        throw new ProtocolError(errorCodes.protocolError, 'it pushes, though nobody allowed it');
      default:
      // Frames that this end does not know are to be ignored.
    }
  }

  /** All that one read brought was given: streams are told, and the other end may send more. */
  settle(): void {
    const { touched } = this;
    this.touched = [];
    for (const stream of touched) stream.settle();
    if (this.credit < this.windowBytes / 4) return;
    this.target.control(numbersFrame(frameTypes.windowUpdate, 0, this.credit));
    this.window += this.credit;
    this.credit = 0;
  }

  private touch(stream: ClientStream): void {
    if (this.touched.at(-1) !== stream) this.touched.push(stream);
  }

  /** What one stream leaves lying counts for that stream only; the connection goes on. */
  private take(bytes: number): void {
    if (this.block !== undefined) throw cutBlock();
    this.window -= bytes;
    this.credit += bytes;
    if (this.window < 0) throw new ProtocolError(errorCodes.flowControlError, 'it sends more than it may');
  }

  private addHeaders(piece: Buffer, flags: number): void {
    const { block } = this;
    if (block === undefined) throw new ProtocolError(errorCodes.protocolError, 'a header block has no beginning');
    block.pieces.push(piece);
    block.bytes += piece.length + pieceOverheadBytes;
    if (block.bytes > maxHeaderBytes) throw new ProtocolError(errorCodes.enhanceYourCalm, 'its headers are too long');
    if ((flags & frameFlags.endHeaders) === 0) return;
    this.block = undefined;
    // Decoded even if the stream is over: the next block may build on it.
    const fields = this.headers.decode(Buffer.concat(block.pieces));
    const stream = this.target.streamOf(block.first.stream);
    if (stream === undefined) return;
    stream.settle();
    stream.receiveHeaders(fields, (block.first.flags & frameFlags.endStream) !== 0);
  }

  private readSettings(payload: Buffer, flags: number): void {
    if ((flags & frameFlags.ack) !== 0) {
      expectLength(payload, 0);
      return;
    }
    if (payload.length % 6 !== 0) throw new ProtocolError(errorCodes.frameSizeError, 'its settings are cut');
    const settings = readSettings(payload);
    for (const [id, least, most, code] of legalSettings) {
      const value = settings.get(id) ?? least;
      if (value < least || value > most) throw new ProtocolError(code, `its setting ${id} cannot be ${value}`);
    }
    this.target.settings(settings);
    this.target.control(frameHeader(0, frameTypes.settings, frameFlags.ack, 0));
  }

  private windowUpdate(id: number, payload: Buffer): void {
    expectLength(payload, 4);
    const bytes = payload.readUInt32BE(0) & largestWindowBytes;
    const stream = id === 0 ? undefined : this.target.streamOf(id);
    if (id !== 0 && stream === undefined) return;
    if (bytes > 0) this.target.windowUpdate(stream, bytes);
    else if (stream !== undefined) stream.close(errorCodes.protocolError);
    else throw new ProtocolError(errorCodes.protocolError, 'it allows nothing more');
  }
}

function withoutPriority({ flags, payload }: Frame): Buffer {
  if ((flags & frameFlags.priority) === 0) return payload;
  if (payload.length < 5) expectLength(payload, 5);
  return payload.subarray(5);
}

function cutBlock(): ProtocolError {
  return new ProtocolError(errorCodes.protocolError, 'a header block was cut by another frame');
}

function expectNoStream(stream: number): void {
  if (stream === 0) return;
  throw new ProtocolError(errorCodes.protocolError, `a frame is of stream ${stream}, though it concerns all of them`);
}

function expectLength(payload: Buffer, bytes: number): void {
  if (payload.length === bytes) return;
  throw new ProtocolError(errorCodes.frameSizeError, `a frame has ${payload.length} bytes where ${bytes} belong`);
}
