import { opcode, recordHeadBytes } from './mcap-format.js';
import type { Nanos } from './nanos.js';

const entryBytes = 16;
const indexHeadBytes = recordHeadBytes + 6;

/** The Message Index of one channel in one chunk: log time and offset of each message. */
export class MessageIndex {
  readonly channel: number;
  private bytes = Buffer.allocUnsafeSlow(64 * entryBytes);
  private view = new DataView(this.bytes.buffer);
  private used = 0;

  constructor(channel: number) {
    this.channel = channel;
  }

  get isEmpty(): boolean {
    return this.used === 0;
  }

  /** Length of the whole record. */
  get recordBytes(): number {
    return indexHeadBytes + this.used;
  }

  add(log: Nanos, offset: number): void {
    const at = this.used;
    if (at + entryBytes > this.bytes.length) this.grow();
    const { view } = this;
    log.write(view, at);
    view.setUint32(at + 8, offset, true);
    view.setUint32(at + 12, 0, true);
    this.used = at + entryBytes;
  }

  /** Writes the record; gives back the offset behind it. */
  write(target: Buffer, start: number): number {
    let at = target.writeUInt8(opcode.messageIndex, start);
    at = target.writeUInt32LE(6 + this.used, at);
    at = target.writeUInt32LE(0, at);
    at = target.writeUInt16LE(this.channel, at);
    at = target.writeUInt32LE(this.used, at);
    return at + this.bytes.copy(target, at, 0, this.used);
  }

  clear(): void {
    this.used = 0;
  }

  private grow(): void {
    const larger = Buffer.allocUnsafeSlow(this.bytes.length * 2);
    this.bytes.copy(larger);
    this.bytes = larger;
    this.view = new DataView(larger.buffer);
  }
}
