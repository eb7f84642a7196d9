import { MeshError } from '../base/errors.js';
import type { ClientStream, StreamListener } from '../http2/client-stream.js';
import { errorCodes } from '../http2/frames.js';
import type { HeaderFields } from '../http2/header-decoder.js';
import type { Memory } from '../http2/memory.js';
import { FrameReader } from './frame-reader.js';
import { notGrpc, responseHeaders, trailersError } from './http2-headers.js';
import type { IncomingMessages } from './incoming-messages.js';
import { StreamPieces } from './stream-pieces.js';
import type { FindKnown, MessageBlock } from './types.js';

export interface ClientCallOptions {
  /** `host:port`, for messages. */
  readonly address: string;
  readonly maxMessageBytes: number;
  /** This end's version, for what a peer of another version refuses. */
  readonly ownVersion: string | Uint8Array | undefined;
  /** Why the connection is gone. */
  readonly lost: () => MeshError;
  /** The server has not looked at the call: makes it once more. False: it was made again before. */
  readonly again: () => boolean;
  readonly findKnown: FindKnown | undefined;
}

/** A gRPC call of a client: takes messages, headers and status out of its HTTP/2 stream. */
export class ClientCall implements StreamListener {
  private readonly options: ClientCallOptions;
  private readonly messages: IncomingMessages;
  private readonly reader: FrameReader;
  private stream: ClientStream | undefined;
  /** What one read has brought. None while nothing is there: a list for each of many idle streams would outlive its use. */
  private pieces: StreamPieces | undefined;
  /** Bytes since the last message was complete: a large one comes in many pieces. */
  private uncounted = 0;
  private isAnswered = false;
  private status: { readonly error: MeshError | undefined } | undefined;

  constructor(messages: IncomingMessages, options: ClientCallOptions) {
    this.messages = messages;
    this.options = options;
    this.reader = new FrameReader(options.maxMessageBytes);
  }

  /** The call has its stream. */
  runs(stream: ClientStream): void {
    this.stream = stream;
    this.messages.onRoom(() => stream.resume());
    this.messages.onEnd(() => stream.close(errorCodes.cancel));
  }

  headers(fields: HeaderFields): void {
    this.isAnswered = true;
    const failure = notGrpc(fields, this.options.address);
    if (failure !== undefined) this.messages.fail(failure);
    // A call that fails at once has its trailers where the headers would stand.
    else if (fields['grpc-status'] !== undefined) this.trailers(fields);
    else this.messages.begin(responseHeaders(fields));
  }

  data(memory: Memory, start: number, end: number): void {
    this.uncounted += end - start;
    this.pieces ??= new StreamPieces();
    this.pieces.add(memory, start, end);
  }

  settled(): void {
    const { pieces, uncounted } = this;
    if (pieces === undefined) return;
    this.pieces = undefined;
    const blocks: MessageBlock[] = [];
    try {
      this.reader.readAll(pieces, this.options.findKnown, blocks);
    } catch (error) {
      this.messages.fail(MeshError.from(error));
    }
    if (blocks.length === 0) return;
    this.uncounted = 0;
    if (!this.messages.push(blocks, uncounted)) this.stream?.pause();
  }

  trailers(fields: HeaderFields): void {
    this.status = { error: trailersError(fields, this.options.address, this.options.ownVersion) };
  }

  /** The server has answered, though it may not have read the whole request; it will not read the rest. */
  ended(): void {
    this.stream?.close(errorCodes.noError);
  }

  closed(code: number | undefined): void {
    const { address, lost, again } = this.options;
    if (code === errorCodes.refusedStream && !this.isAnswered && !this.messages.ended && again()) return;
    if (this.status === undefined) this.messages.end(code === undefined ? lost() : resetError(code, address));
    else if (this.status.error === undefined && !this.reader.atBoundary) {
      this.messages.end(new MeshError('data-loss', `${address} ended the call in the middle of a message`));
    } else this.messages.end(this.status.error);
  }
}

/** What a stream that ended without trailers means. Source: the table "HTTP2 Transport Mapping" of the specification. */
function resetError(code: number, address: string): MeshError {
  switch (code) {
    case errorCodes.cancel:
      return new MeshError('cancelled', `${address} cancelled the call`);
    case errorCodes.enhanceYourCalm:
      return new MeshError('resource-exhausted', `${address} asks for fewer calls`);
    case errorCodes.inadequateSecurity:
      return new MeshError('permission-denied', `${address} asks for more security`);
    case errorCodes.noError:
      return new MeshError('unavailable', `${address} ended the call without a status`);
    case errorCodes.refusedStream:
      return new MeshError('unavailable', `${address} refused the call`);
    default:
      return new MeshError('internal', `${address} reset the call (HTTP/2 code ${code})`);
  }
}
