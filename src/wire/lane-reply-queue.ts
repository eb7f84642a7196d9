import { type LaneReply, laneMessageBytes, laneOverheadBytes, lanePieceBytes } from './lane-messages.js';

/** What is answered and not yet written on a lane. Long replies leave in pieces, each in its turn. */
export class LaneReplyQueue {
  /** Bytes of the short ones, or a little more. */
  shortBytes = 0;
  /** Bytes of the long ones, of each until its last piece has been taken. */
  longBytes = 0;
  private short: LaneReply[] = [];
  private long: { readonly id: number; readonly reply: Uint8Array; at: number }[] = [];

  get empty(): boolean {
    return this.short.length === 0 && this.long.length === 0;
  }

  add(reply: LaneReply): void {
    if (reply.reply.length > lanePieceBytes) {
      this.long.push({ id: reply.id, reply: reply.reply, at: 0 });
      this.longBytes += reply.reply.length;
    } else {
      this.short.push(reply);
      this.shortBytes += sizeOf(reply);
    }
  }

  /** The caller of a long reply does not want the rest. */
  drop(id: number): void {
    const index = this.long.findIndex((long) => long.id === id);
    if (index >= 0) this.longBytes -= this.long.splice(index, 1)[0]!.reply.length;
  }

  clear(): void {
    this.short = [];
    this.long = [];
    this.shortBytes = 0;
    this.longBytes = 0;
  }

  /** As many short replies as one message should hold. */
  takeShort(): LaneReply[] {
    const { short } = this;
    let bytes = 0;
    let count = 0;
    while (count < short.length && bytes < laneMessageBytes) bytes += sizeOf(short[count++]!);
    this.shortBytes -= bytes;
    if (count === short.length) {
      this.short = [];
      return short;
    }
    this.short = short.slice(count);
    return short.slice(0, count);
  }

  /** The next piece of a long reply, where there is one. */
  takePiece(): LaneReply | undefined {
    const long = this.long.shift();
    if (long === undefined) return undefined;
    const { id, reply, at } = long;
    long.at = Math.min(reply.length, at + lanePieceBytes);
    const more = long.at < reply.length;
    if (more) this.long.push(long);
    else this.longBytes -= reply.length;
    return { id, reply: reply.subarray(at, long.at), code: 0, message: '', more };
  }
}

function sizeOf({ reply, message }: LaneReply): number {
  // A character takes three bytes at most.
  return reply.length + 3 * message.length + laneOverheadBytes;
}
