import type { MeshError } from '../base/errors.js';
import type { Memory } from '../http2/memory.js';

/*
 * The narrow interface between the mesh and what carries it. Nothing above this folder knows gRPC or HTTP/2;
 * messages cross it as encoded bytes, so that an event is encoded once however many listen.
 */

/** Header name → value; names in lower case, and those ending in `-bin` carry bytes. */
export type Headers = Readonly<Record<string, string | Uint8Array>>;

/** The three methods of farm-ng's EventService. */
export type WireMethod = 'listUris' | 'subscribe' | 'requestReply';

/** An incoming call, as its service sees it. */
export interface IncomingCall {
  readonly headers: Headers;
  /** Address of the caller, for messages. */
  readonly peer: string;
  /** Aborts when the caller cancels or goes away, and when its deadline passes. */
  readonly signal: AbortSignal;
}

/** An encoded message with its frame's prefix, in memory that does not change any more. See `frames.ts`. */
export interface FramedMessage {
  /** The frame stands here from `start` to `end`, but for its `body`. */
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
  /** The end of a large message, where it lies in memory of its own. */
  readonly body: Uint8Array | undefined;
}

/** The outgoing half of a `subscribe` call. */
export interface OutgoingStream {
  /** Sends the response headers; at most once, before the first message. */
  sendHeaders(headers: Headers): void;
  /** Takes one message. False means: full, wait for `onDrain` before the next. */
  write(message: FramedMessage): boolean;
  /** Sets the listener that is called each time the stream has room again. */
  onDrain(listener: () => void): void;
  /** Ends the stream after what was written: well, or with an error for the subscriber. */
  end(error?: MeshError): void;
}

/** What a server calls: one implementation for all services of a port. Errors thrown become the call's status. */
export interface WireHandler {
  listUris(request: Buffer, call: IncomingCall): Promise<Uint8Array>;
  /** Gives the reply at once where it can: requests that wait for nothing then cost no turn of the event loop. */
  requestReply(request: Buffer, call: IncomingCall): Uint8Array | Promise<Uint8Array>;
  /** Takes the call over; throws to refuse it. */
  subscribe(request: Buffer, call: IncomingCall, stream: OutgoingStream): void;
}

export interface CallOptions {
  readonly headers?: Headers;
  /** Cancels the call; its promise then rejects with `cancelled`. */
  readonly signal?: AbortSignal;
  /** Wait for a connection, within the deadline, instead of failing at once when the server is away. Default false. */
  readonly waitForReady?: boolean;
  /** Keep only the newest message for a reader that is busy: what it leaves lying is thrown away. Default false. */
  readonly keepLast?: boolean;
  /** Milliseconds until the call fails with `deadline-exceeded`. Streams have none by default. */
  readonly timeoutMs?: number;
  /** What may come: blocks of it are given in place of those that came. Default: nothing. */
  readonly findKnown?: FindKnown;
}

/**
 * Messages in one piece of memory: their frames stand from `start` to `end`, one behind the other (see `frames.ts`).
 * Nobody makes a list of where, since most are looked at once, or as a whole.
 */
export interface MessageBlock {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
  /** At least one. */
  readonly count: number;
  /** To be released, once, by whoever keeps nothing of it. */
  readonly memory: Memory;
}

/** Frames that other calls have brought, in one piece: what they bring may come in this call, too, byte for byte. */
export interface KnownFrames {
  readonly bytes: Buffer;
  /** Where the frame that is expected next begins. */
  readonly start: number;
  /** Where the last one ends. */
  readonly end: number;
  /** Those from `start` on that end at `to` or before; undefined: none. */
  blockTo(to: number): MessageBlock | undefined;
}

/** What is expected behind the next `count` messages. */
export type FindKnown = (count: number) => KnownFrames | undefined;

/** The messages of a `subscribe` call, as they arrive. */
export interface IncomingStream {
  /** Resolves with the response headers; rejects when the call ends without any. */
  readonly headers: Promise<Headers>;
  /**
   * Gives all messages that lie ready, at once, and never none; can be called once. A promise that `take` gives is
   * waited for before the next; meanwhile the sender is stopped. Resolves when the call has ended well; an error that
   * `take` throws ends the call, and is thrown.
   */
  receive(take: (blocks: readonly MessageBlock[]) => void | Promise<void>): Promise<void>;
}

/** The client's end of one connection to a server; connects when first used, and again after a failure. */
export interface WireChannel {
  /** `host:port`, for messages. */
  readonly address: string;
  unary(method: WireMethod, request: Uint8Array, options: CallOptions): Promise<Buffer>;
  /** Reads with back pressure: a reader that takes nothing stops the sender. */
  stream(method: WireMethod, request: Uint8Array, options: CallOptions): IncomingStream;
  /** Drops the connection; calls under way end with `unavailable`. Can be called twice. */
  close(): void;
}
