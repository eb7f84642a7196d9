type Take<T> = (batch: readonly T[]) => Promise<void>;

/** Pulls one by one what comes in batches; the next batch is taken when all of the one before was pulled. */
export class BatchIterator<T> implements AsyncIterator<T> {
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

  /** @param run Gives batches until it has no more or `stop` was called. Called at the first `next`. */
  constructor(run: (take: Take<T>) => Promise<void>, stop: () => void) {
    this.run = run;
    this.stop = stop;
  }

  next(): Promise<IteratorResult<T>> {
    this.running ??= this.start();
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

  async return(): Promise<IteratorResult<T>> {
    this.stop();
    this.batch = [];
    this.taken();
    await this.running;
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
