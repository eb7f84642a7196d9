import type { SecureContextOptions } from 'node:tls';
import { ClientStream, type StreamListener, type StreamOwner } from './client-stream.js';
import { FrameSplitter } from './frame-splitter.js';
import {
  defaultWindowBytes,
  errorCodes,
  frameFlags,
  frameHeader,
  frameTypes,
  largestWindowBytes,
  numbersFrame,
  settingIds,
  settingsFrame,
} from './frames.js';
import { maxHeaderBytes } from './header-decoder.js';
import { encodeHeaders, noTable } from './header-encoder.js';
import { type FrameTarget, IncomingFrames } from './incoming-frames.js';
import type { Memory } from './memory.js';
import { Outbox } from './outbox.js';
import { ProtocolError } from './protocol-error.js';
import { Transport } from './transport.js';

export interface ClientConnectionOptions {
  readonly host: string;
  readonly port: number;
  readonly tls: SecureContextOptions | undefined;
  /** How much a server may send on a stream, and on all of them (at least 65,535 bytes), before it is taken. */
  readonly streamWindowBytes: number;
  readonly connectionWindowBytes: number;
  /** The connection is there, though the server has said nothing yet. */
  readonly onOpen: () => void;
  /** The server takes no more streams; those that it has go on. */
  readonly onGoaway: () => void;
  /** Once, at the end: see `reason`. */
  readonly onClosed: () => void;
}

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
const maxFrameBytes = 1024 * 1024;
const lastStreamId = 2 ** 31 - 1;
// Until the server has said how many it takes at once. Source: RFC 9113, section 6.5.2, on values to begin with.
const cautiousStreams = 100;
// Streams that wait for the server to take them.
const maxWaiting = 10_000;
// A server that asks for answers and does not read them gets no more.
const maxUnsentBytes = 16 * 1024 * 1024;

/**
 * The client's end of an HTTP/2 connection. Node's own takes some microseconds for each piece of each stream; this one
 * reads frames where they lie. Source: RFC 9113. What it leaves out, because gRPC does: pushes, priorities, upgrades.
 */
export class ClientConnection implements StreamOwner, FrameTarget {
  private readonly options: ClientConnectionOptions;
  private readonly transport: Transport;
  private readonly outbox: Outbox;
  private readonly incoming: IncomingFrames;
  private readonly splitter: FrameSplitter;
  private readonly streams = new Map<number, ClientStream>();
  /** Streams that have no number yet, with their headers. */
  private readonly waiting = new Map<ClientStream, Buffer>();
  private maxStreams = cautiousStreams;
  private initialSendWindow = defaultWindowBytes;
  private lastId = -1;
  private state: 'opening' | 'open' | 'leaving' | 'closed' = 'opening';
  private failure: Error | undefined;
  private hasAnswered = false;

  constructor(options: ClientConnectionOptions) {
    this.options = options;
    this.incoming = new IncomingFrames(this, options.connectionWindowBytes);
    this.splitter = new FrameSplitter(this.incoming, maxFrameBytes);
    this.transport = new Transport(options, {
      connected: () => this.opened(),
      read: (memory, length) => this.read(memory, length),
      drained: () => this.outbox.flush(),
      closed: (error) => this.over(error),
    });
    this.outbox = new Outbox(this.transport);
  }

  /** Whether the server has spoken HTTP/2. */
  get answered(): boolean {
    return this.hasAnswered;
  }

  get closed(): boolean {
    return this.state === 'closed';
  }

  /** What ended it, where something did. */
  get reason(): Error | undefined {
    return this.failure;
  }

  /** Whether it can begin another stream. */
  get takesStreams(): boolean {
    return this.state === 'open' && this.lastId < lastStreamId;
  }

  /**
   * Begins a stream; `takesStreams` must hold. Its bytes leave in this tick of the event loop.
   * Errors: `invalid-argument` for headers that HTTP cannot carry.
   */
  request(headers: Iterable<readonly [string, string]>, listener: StreamListener): ClientStream {
    const block = encodeHeaders(headers);
    const stream = new ClientStream(this, listener, this.options.streamWindowBytes);
    if (this.takesStreams && this.waiting.size < maxWaiting) {
      this.waiting.set(stream, block);
      this.startWaiting();
    } else queueMicrotask(() => stream.finish(errorCodes.refusedStream));
    return stream;
  }

  /** Begins no more streams, and ends when those that were sent have. */
  leave(): void {
    if (this.state === 'closed') return;
    this.state = 'leaving';
    for (const stream of this.waiting.keys()) stream.finish(errorCodes.refusedStream);
    this.endWhenDone();
  }

  /** Ends at once, and its streams with it. */
  destroy(reason: Error): void {
    this.transport.destroy();
    this.over(reason);
  }

  // What its streams ask for.

  wake(stream: ClientStream): void {
    this.outbox.wake(stream);
  }

  control(frame: Buffer): void {
    this.outbox.control(frame);
    if (this.transport.unsentBytes > maxUnsentBytes) {
      this.fail(new ProtocolError(errorCodes.enhanceYourCalm, 'it asks for answers, and does not read them'));
    }
  }

  forget(stream: ClientStream): void {
    this.outbox.forget(stream);
    this.waiting.delete(stream);
    this.streams.delete(stream.id);
    this.startWaiting();
    this.endWhenDone();
  }

  // What the server's frames ask for.

  streamOf(id: number): ClientStream | undefined {
    const stream = this.streams.get(id);
    if (stream === undefined && (id > this.lastId || id % 2 === 0)) {
      throw new ProtocolError(errorCodes.protocolError, `stream ${id} was never begun`);
    }
    return stream;
  }

  settings(settings: ReadonlyMap<number, number>): void {
    const before = this.hasAnswered ? this.maxStreams : Number.POSITIVE_INFINITY;
    this.maxStreams = settings.get(settingIds.maxConcurrentStreams) ?? before;
    // As long as the server likes, but not so long that other streams wait for one.
    this.outbox.maxFrameBytes = Math.min(
      settings.get(settingIds.maxFrameBytes) ?? this.outbox.maxFrameBytes,
      maxFrameBytes,
    );
    this.hasAnswered = true;
    const window = settings.get(settingIds.initialWindowBytes);
    if (window !== undefined) {
      for (const stream of this.streams.values()) {
        stream.sendWindow += window - this.initialSendWindow;
        if (stream.sendWindow > largestWindowBytes) throw allowsTooMuch();
        this.wake(stream);
      }
      this.initialSendWindow = window;
    }
    this.startWaiting();
  }

  goaway(lastStream: number, code: number, reason: string): void {
    if (code !== errorCodes.noError) {
      // What it has begun it may not finish, and it need not say so.
      this.transport.end();
      this.over(new Error(`it went away, with HTTP/2 code ${code}${reason === '' ? '' : ` (${reason})`}`));
      return;
    }
    if (this.state === 'open') this.options.onGoaway();
    for (const stream of [...this.streams.values()]) {
      if (stream.id > lastStream) stream.finish(errorCodes.refusedStream);
    }
    this.leave();
  }

  windowUpdate(stream: ClientStream | undefined, bytes: number): void {
    if (stream === undefined) {
      this.outbox.window += bytes;
      if (this.outbox.window > largestWindowBytes) throw allowsTooMuch();
      this.outbox.schedule();
      return;
    }
    stream.sendWindow += bytes;
    if (stream.sendWindow > largestWindowBytes) stream.close(errorCodes.flowControlError);
    else this.wake(stream);
  }

  private opened(): void {
    if (this.state !== 'opening') return;
    const { protocol } = this.transport;
    if (protocol !== undefined && protocol !== 'h2') {
      this.transport.destroy();
      this.over(new Error('it speaks TLS, but not HTTP/2'));
      return;
    }
    const { streamWindowBytes, connectionWindowBytes, onOpen } = this.options;
    const settings = new Map<number, number>([
      [settingIds.enablePush, 0],
      [settingIds.initialWindowBytes, streamWindowBytes],
      [settingIds.maxFrameBytes, maxFrameBytes],
      [settingIds.maxHeaderBytes, maxHeaderBytes],
    ]);
    this.transport.write([preface, settingsFrame(settings)]);
    const more = connectionWindowBytes - defaultWindowBytes;
    if (more > 0) this.transport.write([numbersFrame(frameTypes.windowUpdate, 0, more)]);
    this.state = 'open';
    onOpen();
  }

  private read(memory: Memory, length: number): void {
    if (this.state === 'closed') return;
    try {
      this.splitter.read(memory, length);
      this.incoming.settle();
      this.outbox.flush();
    } catch (error) {
      this.fail(error as Error);
    }
  }

  /** In the order in which they came, as many as the server takes. */
  private startWaiting(): void {
    for (const [stream, block] of this.waiting) {
      if (this.streams.size >= this.maxStreams || !this.takesStreams) break;
      this.waiting.delete(stream);
      this.lastId += 2;
      stream.id = this.lastId;
      stream.sendWindow = this.initialSendWindow;
      this.streams.set(stream.id, stream);
      this.sendHeaders(stream.id, stream.id === 1 ? Buffer.concat([noTable, block]) : block);
      this.outbox.wake(stream);
    }
    // No numbers are left for those that wait.
    if (this.state === 'open' && !this.takesStreams) this.leave();
  }

  private sendHeaders(id: number, block: Buffer): void {
    const { maxFrameBytes: longest } = this.outbox;
    for (let at = 0; at === 0 || at < block.length; at += longest) {
      const piece = block.subarray(at, at + longest);
      const flags = at + longest >= block.length ? frameFlags.endHeaders : 0;
      const type = at === 0 ? frameTypes.headers : frameTypes.continuation;
      this.outbox.control(Buffer.concat([frameHeader(piece.length, type, flags, id), piece]));
    }
  }

  /** Tells the server why, and ends. */
  private fail(error: Error): void {
    if (this.state === 'closed') return;
    const code = error instanceof ProtocolError ? error.code : errorCodes.internalError;
    // It has begun no stream of its own, so that none was taken from it.
    this.transport.write([numbersFrame(frameTypes.goaway, 0, 0, code)]);
    this.transport.end();
    this.over(error);
  }

  private endWhenDone(): void {
    if (this.state !== 'leaving' || this.streams.size > 0 || this.waiting.size > 0) return;
    this.outbox.flush();
    this.transport.end();
    this.over(undefined);
  }

  private over(error: Error | undefined): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.failure = error;
    try {
      // What has come of them is not lost with the connection.
      this.incoming.settle();
    } catch (thrown) {
      this.failure = thrown as Error;
    }
    for (const stream of [...this.streams.values(), ...this.waiting.keys()]) stream.finish(undefined);
    this.options.onClosed();
  }
}

function allowsTooMuch(): ProtocolError {
  return new ProtocolError(errorCodes.flowControlError, 'it allows too much');
}
