import { AppendingFile } from '../appending-file.js';
import { nodeDisk } from '../recording-disk.js';

const flushBytes = 1 << 17;
// A character of a JavaScript string takes three bytes at most.
const mostBytes = 3;

/** A text file that is written in large pieces. */
export class TextFile {
  private readonly file: AppendingFile;
  /** What was added since the last `flush`, encoded: strings that wait would take several times as much memory. */
  private bytes = Buffer.allocUnsafeSlow(flushBytes + (flushBytes >> 2));
  private used = 0;

  private constructor(file: AppendingFile) {
    this.file = file;
  }

  /** Errors: those of `AppendingFile.create`. */
  static async create(file: string): Promise<TextFile> {
    return new TextFile(await AppendingFile.create(file, nodeDisk));
  }

  get name(): string {
    return this.file.file;
  }

  /** Whether enough has come for a `flush`. */
  get isFull(): boolean {
    return this.used >= flushBytes;
  }

  /** Adds text; its end is the caller's. */
  add(text: string): void {
    if (this.used + mostBytes * text.length > this.bytes.length) this.reserve(Buffer.byteLength(text));
    this.used += this.bytes.write(text, this.used);
  }

  /** Errors: those of `AppendingFile.append`. */
  async flush(): Promise<void> {
    const bytes = this.bytes.subarray(0, this.used);
    this.used = 0;
    await this.file.append([bytes]);
  }

  /** Errors: those of `AppendingFile.append`. */
  async finish(): Promise<void> {
    await this.flush();
    await this.file.sync();
    await this.file.close();
  }

  /** Can be called twice. */
  close(): Promise<void> {
    return this.file.close();
  }

  private reserve(bytes: number): void {
    if (this.used + bytes <= this.bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(this.used + bytes);
    this.bytes.copy(larger, 0, 0, this.used);
    this.bytes = larger;
  }
}
