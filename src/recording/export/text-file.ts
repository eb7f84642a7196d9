import { AppendingFile } from '../appending-file.js';
import { nodeDisk } from '../recording-disk.js';

const flushCharacters = 1 << 18;

/** A text file that is written in large pieces. */
export class TextFile {
  private readonly file: AppendingFile;
  private lines: string[] = [];
  private characters = 0;

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
    return this.characters >= flushCharacters;
  }

  /** Adds text; its end is the caller's. */
  add(text: string): void {
    this.lines.push(text);
    this.characters += text.length;
  }

  /** Errors: those of `AppendingFile.append`. */
  async flush(): Promise<void> {
    const text = this.lines.join('');
    this.lines = [];
    this.characters = 0;
    await this.file.append([Buffer.from(text)]);
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
}
