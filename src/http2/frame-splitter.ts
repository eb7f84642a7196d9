import { errorCodes, type Frame, frameFlags, frameHeaderBytes, frameTypes } from './frames.js';
import { type Memory, OwnMemory } from './memory.js';
import { ProtocolError } from './protocol-error.js';

/** What takes the frames of a connection. */
export interface FrameSink {
  /** A piece of a DATA frame stands in `memory` from `start` to `end`. */
  data(stream: number, memory: Memory, start: number, end: number): void;
  /** Bytes of a DATA frame that say nothing, but count. */
  padding(stream: number, bytes: number): void;
  /** The last DATA frame of a stream is over. */
  dataEnd(stream: number): void;
  /** Any other frame, whole. */
  frame(frame: Frame): void;
}

/** Takes the frames out of what a connection brings, however it was cut. What DATA frames hold is given where it lies. */
export class FrameSplitter {
  private readonly sink: FrameSink;
  private readonly maxFrameBytes: number;
  private readonly header = Buffer.alloc(frameHeaderBytes);
  private headerBytes = 0;
  /** Of the DATA frame at hand: what is still to come. */
  private dataLeft = 0;
  private stream = 0;
  private flags = 0;
  private type = 0;
  /** Any other frame, as far as it has come. */
  private payload: Buffer | undefined;
  private payloadBytes = 0;

  constructor(sink: FrameSink, maxFrameBytes: number) {
    this.sink = sink;
    this.maxFrameBytes = maxFrameBytes;
  }

  /** Reads the first `length` bytes. Errors: `ProtocolError`. */
  read(memory: Memory, length: number): void {
    const { bytes } = memory;
    let at = 0;
    while (at < length) {
      if (this.dataLeft > 0) {
        const end = Math.min(length, at + this.dataLeft);
        this.dataLeft -= end - at;
        this.sink.data(this.stream, memory, at, end);
        at = end;
        if (this.dataLeft === 0) this.endData();
      } else if (this.payload !== undefined) {
        at += this.collect(this.payload, bytes, at, length);
      } else if (this.headerBytes === 0 && length - at >= frameHeaderBytes) {
        this.begin(bytes, at);
        at += frameHeaderBytes;
      } else {
        const copied = bytes.copy(this.header, this.headerBytes, at, length);
        at += copied;
        this.headerBytes += copied;
        if (this.headerBytes < frameHeaderBytes) continue;
        this.headerBytes = 0;
        this.begin(this.header, 0);
      }
    }
  }

  private begin(bytes: Buffer, at: number): void {
    const length = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
    this.type = bytes[at + 3]!;
    this.flags = bytes[at + 4]!;
    this.stream = ((bytes[at + 5]! & 0x7f) << 24) | (bytes[at + 6]! << 16) | (bytes[at + 7]! << 8) | bytes[at + 8]!;
    if (length > this.maxFrameBytes) {
      throw new ProtocolError(errorCodes.frameSizeError, `a frame of ${length} bytes came`);
    }
    if (this.type === frameTypes.data && (this.flags & frameFlags.padded) === 0) {
      this.dataLeft = length;
      if (length === 0) this.endData();
      return;
    }
    this.payload = Buffer.allocUnsafe(length);
    this.payloadBytes = 0;
    if (length === 0) this.complete(this.payload);
  }

  private endData(): void {
    if ((this.flags & frameFlags.endStream) !== 0) this.sink.dataEnd(this.stream);
  }

  private collect(payload: Buffer, bytes: Buffer, at: number, length: number): number {
    const copied = bytes.copy(payload, this.payloadBytes, at, length);
    this.payloadBytes += copied;
    if (this.payloadBytes === payload.length) this.complete(payload);
    return copied;
  }

  private complete(payload: Buffer): void {
    this.payload = undefined;
    const { type, flags, stream } = this;
    const isPadded = (flags & frameFlags.padded) !== 0 && (type === frameTypes.data || type === frameTypes.headers);
    const content = isPadded ? withoutPadding(payload) : payload;
    if (type !== frameTypes.data) {
      this.sink.frame({ type, flags, stream, payload: content });
      return;
    }
    this.sink.padding(stream, payload.length - content.length);
    if (content.length > 0) this.sink.data(stream, new OwnMemory(content), 0, content.length);
    this.endData();
  }
}

function withoutPadding(payload: Buffer): Buffer {
  const padding = payload[0] ?? 0;
  if (payload.length < 1 + padding) {
    throw new ProtocolError(errorCodes.protocolError, 'a frame has more padding than bytes');
  }
  return payload.subarray(1, payload.length - padding);
}
