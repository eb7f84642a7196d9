/** Where a command prints: what it was asked for on standard output, what it says about it on standard error. */
export class Output {
  /** Aborts when nobody reads standard output any more, as after `furrow echo … | head`. */
  readonly closed: AbortSignal;
  /** Whether `--json` was given. */
  readonly json: boolean;
  /** Whether a person looks at standard output. */
  readonly live: boolean;
  private readonly command: string;
  private readonly broken = new AbortController();

  constructor(command: string, { json }: { readonly json: boolean }) {
    this.command = command;
    this.json = json;
    this.live = process.stdout.isTTY === true && !json;
    this.closed = this.broken.signal;
    process.stdout.on('error', this.onError);
    process.stderr.on('error', this.onError);
  }

  /** Columns that a line may have: those of the terminal, or 120 where there is none. */
  get width(): number {
    return process.stdout.isTTY === true ? process.stdout.columns || 80 : 120;
  }

  /** Prints a line; resolves when there is room for the next. */
  async line(text: string): Promise<void> {
    if (this.closed.aborted || process.stdout.write(`${text}\n`)) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        process.stdout.off('drain', done);
        this.closed.removeEventListener('abort', done);
        resolve();
      };
      process.stdout.on('drain', done);
      this.closed.addEventListener('abort', done, { once: true });
    });
  }

  /** Prints one JSON document on one line. */
  value(value: unknown): Promise<void> {
    return this.line(JSON.stringify(value));
  }

  /** Says something on standard error: a JSON line with `--json`. */
  note(text: string, fields: object = {}): void {
    process.stderr.write(
      this.json ? `${JSON.stringify({ note: text, ...fields })}\n` : `furrow ${this.command}: ${text}\n`,
    );
  }

  private readonly onError = (error: NodeJS.ErrnoException): void => {
    if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
    this.broken.abort('standard output was closed');
  };
}
