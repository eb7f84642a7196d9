import { setMaxListeners } from 'node:events';
import { StatusLevel } from '@foxglove/ws-protocol';
import type { RawData, WebSocket } from 'ws';
import { MeshError } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import { DropNotice } from './drop-notice.js';
import { encodeMessage, messageHeaderBytes, statusMessage, type TextMessage } from './protocol.js';
import type { Counts, EventTaker, Subscription } from './subscription.js';
import { readViewerMessage, type ViewerMessage } from './viewer-message.js';

export interface ViewerOptions {
  /** Address, for messages. */
  readonly name: string;
  /** Bytes that may wait for the viewer before events are dropped. */
  readonly maxBufferedBytes: number;
  /** A viewer that neither answers nor takes anything for three times this long is let go. */
  readonly heartbeatMs: number;
  readonly logger: Logger;
  /** What it asks for. */
  receive(message: ViewerMessage): void;
}

// What else may wait: advertisements and replies. Whoever leaves more than this unread is let go.
const reserveBytes = 8 * 1024 * 1024;
const badNoticeMs = 1000;
const mostMissedBeats = 3;

/**
 * One connected viewer. Events go out as long as it reads; when too many bytes wait, the newest event of each channel is
 * kept until there is room, and the others are dropped and counted.
 */
export class Viewer implements EventTaker, Counts {
  readonly name: string;
  /** By the viewer's own ids. */
  readonly subscriptions = new Map<number, Subscription>();
  /** Service calls that are under way. */
  calls = 0;
  sent = 0;
  dropped = 0;
  private readonly socket: WebSocket;
  private readonly options: ViewerOptions;
  private readonly waiting = new Map<Subscription, Buffer>();
  private waitingBytes = 0;
  private readonly ended = new AbortController();
  private readonly notice: DropNotice;
  private readonly heartbeat: NodeJS.Timeout;
  private handedBytes = 0;
  private takenBytes = 0;
  private missedBeats = 0;
  private lastBadNotice = Number.NEGATIVE_INFINITY;

  constructor(socket: WebSocket, options: ViewerOptions) {
    this.socket = socket;
    this.options = options;
    this.name = options.name;
    // Calls and looks at latched events listen to it.
    setMaxListeners(0, this.ended.signal);
    this.notice = new DropNotice((text) => {
      this.options.logger.warn(`Foxglove viewer ${this.name} is slow: ${text}`);
      this.sendText(statusMessage(StatusLevel.WARNING, `This connection is too slow: ${text}`, 'dropped'));
    });
    socket.on('message', (data: RawData, isBinary: boolean) => this.take(data as Buffer, isBinary ? 'binary' : 'text'));
    socket.on('pong', () => {
      this.missedBeats = 0;
    });
    // Whatever is wrong with the link or with what came over it, `close` follows.
    socket.on('error', (error) => options.logger.debug(`Foxglove viewer ${this.name}: ${error.message}`));
    socket.on('close', () => this.end());
    this.heartbeat = setInterval(() => this.beat(), options.heartbeatMs);
  }

  /** Aborts when the viewer has gone. */
  get gone(): AbortSignal {
    return this.ended.signal;
  }

  /** Bytes that wait for it to read. */
  get bufferedBytes(): number {
    return this.socket.bufferedAmount + this.waitingBytes;
  }

  offer(subscription: Subscription, timeNs: bigint, payload: Uint8Array): void {
    if (this.ended.signal.aborted) return;
    const bytes = messageHeaderBytes + payload.length;
    const older = this.waiting.get(subscription);
    if (older === undefined && this.hasRoom(bytes)) {
      this.sendEvent(subscription, encodeMessage(subscription.id, timeNs, payload));
      return;
    }
    const waitingBytes = this.waitingBytes - (older?.length ?? 0) + bytes;
    const fits = waitingBytes <= this.options.maxBufferedBytes;
    if (older !== undefined || !fits) this.drop(subscription);
    if (!fits) return;
    this.waiting.set(subscription, encodeMessage(subscription.id, timeNs, payload));
    this.waitingBytes = waitingBytes;
  }

  /** Sends a message that must not be lost; a viewer that leaves too much unread is let go instead. */
  sendText(message: TextMessage): void {
    this.send(JSON.stringify(message));
  }

  send(data: string | Buffer): void {
    if (this.ended.signal.aborted) return;
    if (this.socket.bufferedAmount > this.options.maxBufferedBytes + reserveBytes) {
      this.options.logger.warn(`Foxglove viewer ${this.name} does not read what it is sent; its connection is ended`);
      this.terminate();
      return;
    }
    this.hand(data);
  }

  remove(subscription: Subscription): void {
    this.subscriptions.delete(subscription.id);
    const frame = this.waiting.get(subscription);
    if (frame === undefined) return;
    this.waiting.delete(subscription);
    this.waitingBytes -= frame.length;
  }

  /** Says goodbye; the connection ends when the viewer has answered, or by `terminate`. */
  close(): void {
    this.socket.close(1001, 'the server is closing');
  }

  terminate(): void {
    this.socket.terminate();
    this.end();
  }

  private take(data: Buffer, kind: 'binary' | 'text'): void {
    this.missedBeats = 0;
    try {
      this.options.receive(readViewerMessage(data, kind));
    } catch (error) {
      const { message } = MeshError.from(error);
      this.options.logger.debug(`Foxglove viewer ${this.name}: ${message}`);
      // Whoever sends nothing but rubbish is not answered each time.
      if (performance.now() - this.lastBadNotice < badNoticeMs) return;
      this.lastBadNotice = performance.now();
      this.sendText(statusMessage(StatusLevel.ERROR, message));
    }
  }

  private hasRoom(bytes: number): boolean {
    const { bufferedAmount } = this.socket;
    return bufferedAmount === 0 || bufferedAmount + bytes <= this.options.maxBufferedBytes;
  }

  private sendEvent(subscription: Subscription, frame: Buffer): void {
    for (const counts of [subscription, subscription.totals, this]) counts.sent += 1;
    this.hand(frame);
  }

  private hand(data: string | Buffer): void {
    this.handedBytes += data.length;
    this.socket.send(data, () => this.flush());
  }

  private flush(): void {
    for (const [subscription, frame] of this.waiting) {
      if (this.ended.signal.aborted || !this.hasRoom(frame.length)) return;
      this.waiting.delete(subscription);
      this.waitingBytes -= frame.length;
      this.sendEvent(subscription, frame);
    }
  }

  private drop(subscription: Subscription): void {
    for (const counts of [subscription, subscription.totals, this]) counts.dropped += 1;
    this.notice.add(subscription.topic);
  }

  private beat(): void {
    // Behind megabytes on a slow link the ping itself takes long; then it counts that those become less.
    const takenBytes = this.handedBytes - this.socket.bufferedAmount;
    if (takenBytes > this.takenBytes) this.missedBeats = 0;
    this.takenBytes = takenBytes;
    this.missedBeats += 1;
    if (this.missedBeats <= mostMissedBeats) {
      this.socket.ping();
      return;
    }
    this.options.logger.warn(`Foxglove viewer ${this.name} gives no sign of life; its connection is ended`);
    this.terminate();
  }

  private end(): void {
    clearInterval(this.heartbeat);
    this.notice.close();
    this.waiting.clear();
    this.waitingBytes = 0;
    this.ended.abort();
  }
}
