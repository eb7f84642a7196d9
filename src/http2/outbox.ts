import type { ClientStream } from './client-stream.js';
import { defaultFrameBytes, defaultWindowBytes, frameFlags, frameHeader, frameTypes } from './frames.js';
import type { Transport } from './transport.js';

// What lies in the socket before streams have to wait.
const highWaterBytes = 1024 * 1024;

/** What leaves a connection: frames in the order in which they were made, bodies as far as the other end lets them. */
export class Outbox {
  /** What may still be sent on the connection. */
  window = defaultWindowBytes;
  maxFrameBytes = defaultFrameBytes;
  private readonly transport: Transport;
  private frames: Buffer[] = [];
  /** Streams with something to send, the one whose turn it is first. */
  private readonly sending = new Set<ClientStream>();
  private isScheduled = false;
  /** Streams wait because the socket holds enough. */
  private isFull = false;

  constructor(transport: Transport) {
    this.transport = transport;
  }

  control(frame: Buffer): void {
    this.frames.push(frame);
    this.schedule();
  }

  wake(stream: ClientStream): void {
    this.sending.add(stream);
    this.schedule();
  }

  forget(stream: ClientStream): void {
    this.sending.delete(stream);
  }

  /** Sends now what can be sent; whatever is made later in the same tick of the event loop goes out together. */
  flush(): void {
    this.isScheduled = false;
    const sent = this.fill();
    const { frames } = this;
    if (frames.length > 0) {
      this.frames = [];
      this.transport.write([Buffer.concat(frames)]);
      // What has left at once is followed by no news of it.
      if (this.isFull && this.transport.unsentBytes <= highWaterBytes) this.schedule();
    }
    for (const stream of sent) stream.sent();
  }

  /** Sends at the end of this tick of the event loop. */
  schedule(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    process.nextTick(() => this.flush());
  }

  /** One frame of each stream in turn. */
  private fill(): Set<ClientStream> {
    const sent = new Set<ClientStream>();
    let bytes = this.transport.unsentBytes;
    this.isFull = false;
    for (const stream of this.sending) {
      this.isFull = bytes > highWaterBytes;
      if (this.isFull) break;
      // It keeps its turn. An end alone needs no window, and may be what the other end waits for.
      if (this.window <= 0 && stream.hasBody) continue;
      this.sending.delete(stream);
      if (!stream.wantsToSend) continue;
      const body = stream.take(Math.min(this.window, stream.sendWindow, this.maxFrameBytes));
      const length = body.bytes?.length ?? 0;
      this.frames.push(frameHeader(length, frameTypes.data, body.isLast ? frameFlags.endStream : 0, stream.id));
      if (body.bytes !== undefined) this.frames.push(body.bytes);
      bytes += length;
      this.window -= length;
      sent.add(stream);
      // Behind those that wait; a set shows what was added while it is walked through.
      if (stream.wantsToSend) this.sending.add(stream);
    }
    return sent;
  }
}
