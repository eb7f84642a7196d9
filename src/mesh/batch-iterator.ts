type Take<T> = (batch: readonly T[]) => Promise<void>;

/** Pulls one by one what comes in batches; the next batch is taken when all of the one before was pulled. */
export class BatchIterator<T> implements AsyncIterableIterator<T> {
  private readonly run: (take: Take<T>) => Promise<void>;
  private readonly stop: () => void;
  private running: Promise<void> | undefined;
  private batch: readonly T[] = [];
  private at = 0;
  /** Lets the next batch come. */
  private taken: () => void = () => undefined;
  private waiting: {
    readonly resolve: (step: IteratorResult<T>) => void;
    readonly reject: (error: unknown) => void;
  }[] = [];
  private finished: { readonly error?: unknown } | undefined;
  private isLeft = false;

  /** @param run Gives batches until it has no more or `stop` was called. Called at the first `next`. */
  constructor(run: (take: Take<T>) => Promise<void>, stop: () => void) {
    this.run = run;
    this.stop = stop;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<T>> {
    if (!this.isLeft) this.running ??= this.start();
    if (this.at < this.batch.length) return Promise.resolve({ done: false, value: this.batch[this.at++]! });
    const { finished } = this;
    if (finished !== undefined) {
      this.finished = {};
      return 'error' in finished ? Promise.reject(finished.error) : Promise.resolve({ done: true, value: undefined });
    }
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject });
      this.taken();
    });
  }

  /** Resolves when what runs has ended; what nobody has pulled by now, nobody gets. */
  async return(): Promise<IteratorResult<T>> {
    this.isLeft = true;
    this.stop();
    this.batch = [];
    this.taken();
    // Where nothing has run, nothing will.
    if (this.running === undefined) this.finished = {};
    await this.running;
    this.finished = {};
    return { done: true, value: undefined };
  }

  private async start(): Promise<void> {
    try {
      await this.run((batch) => this.take(batch));
      this.finished = {};
    } catch (error) {
      this.finished = { error };
    }
    const { waiting } = this;
    this.waiting = [];
    for (const { resolve, reject } of waiting) {
      // The error is told once, as by a generator.
      if (this.finished !== undefined && 'error' in this.finished) {
        reject(this.finished.error);
        this.finished = {};
      } else resolve({ done: true, value: undefined });
    }
  }

  private take(batch: readonly T[]): Promise<void> {
    if (this.isLeft) return Promise.resolve();
    this.batch = batch;
    this.at = 0;
    while (this.waiting.length > 0 && this.at < batch.length) {
      this.waiting.shift()!.resolve({ done: false, value: batch[this.at++]! });
    }
    return new Promise((resolve) => {
      this.taken = resolve;
      if (this.waiting.length > 0) resolve();
    });
  }
}
