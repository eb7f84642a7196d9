import { EventStamper, removeStamps } from '../messages/event-stamps.js';
import { semantics } from '../messages/timestamp.js';
import { EventScan } from './event-scan.js';
import type { ReadOptions, RecordedEvent, RecordingReader, RecordingWriter } from './recording.js';

/** Two estimates of when one clock began differ by less. */
const sameBootS = 1;
const batchEvents = 512;
const slabBytes = 256 * 1024;

export interface MergeOptions extends Pick<ReadOptions, 'signal' | 'onDamage'> {
  /** Told how much of each input is read. */
  readonly onProgress?: (input: number, readBytes: number, totalBytes: number) => void;
}

/**
 * Writes the events of several recordings in the order of their times, and gives their number; events of one recording
 * keep their order. `file/write` stamps of another clock than the first recording's are written anew as times of that
 * one, so that the result has one time line. Memory does not grow with the recordings. The writer stays open.
 * Errors: those of reading and writing.
 */
export async function mergeRecordings(
  recordings: readonly RecordingReader[],
  writer: RecordingWriter,
  options: MergeOptions = {},
): Promise<number> {
  const { signal, onDamage, onProgress } = options;
  const line = new TimeLine();
  const inputs = recordings.map((recording, number) => {
    const reading = {
      ...(signal && { signal }),
      ...(onDamage && { onDamage }),
      lend: true,
      onProgress: (read: number, total: number) => onProgress?.(number, read, total),
    };
    return new Input(recording.batches(reading)[Symbol.asyncIterator](), line);
  });
  let count = 0;
  let out: RecordedEvent[] = [];
  const flush = async (): Promise<void> => {
    const batch = out;
    out = [];
    count += batch.length;
    if (batch.length > 0) await writer.write(batch);
  };
  try {
    for (const input of inputs) await input.next();
    for (;;) {
      const first = earliest(inputs);
      if (first?.head === undefined) break;
      out.push(first.head);
      // What an input has read is only valid until it reads on.
      if (out.length >= batchEvents || first.isLast) await flush();
      await first.next();
    }
    await flush();
  } finally {
    for (const input of inputs) await input.close();
  }
  return count;
}

function earliest(inputs: readonly Input[]): Input | undefined {
  let first: Input | undefined;
  for (const input of inputs) {
    if (input.head !== undefined && (first?.head === undefined || input.head.timeS < first.head.timeS)) first = input;
  }
  return first;
}

/** One recording, of which the next event is at hand. */
class Input {
  head: RecordedEvent | undefined;
  private batch: readonly RecordedEvent[] = [];
  private at = 0;

  constructor(
    private readonly batches: AsyncIterator<readonly RecordedEvent[]>,
    private readonly line: TimeLine,
  ) {}

  /** Whether the next event has to be read first. */
  get isLast(): boolean {
    return this.at >= this.batch.length;
  }

  next(): Promise<void> | undefined {
    if (!this.isLast) this.take();
    else return this.read();
    return undefined;
  }

  async close(): Promise<void> {
    await this.batches.return?.();
  }

  private async read(): Promise<void> {
    this.head = undefined;
    do {
      const { value, done } = await this.batches.next();
      if (done === true) return;
      this.batch = value;
      this.at = 0;
    } while (this.isLast);
    this.take();
  }

  private take(): void {
    this.head = this.line.place(this.batch[this.at]!);
    this.at += 1;
  }
}

/** The clock of writing of the first recording, which tells the time of all. */
class TimeLine {
  private readonly scan = new EventScan();
  private clock: Buffer | undefined;
  private stamper: EventStamper | undefined;
  private offsetS = 0;
  private slab = Buffer.alloc(0);
  private slabUsed = 0;

  /** The event with a `file/write` stamp that tells its time on this line. */
  place(recorded: RecordedEvent): RecordedEvent {
    const { event, timeS } = recorded;
    const { eventBytes } = event;
    const { scan } = this;
    scan.read(eventBytes, 0, eventBytes.length);
    const { fileWriteS, secondsAt, clockStart, clockEnd } = scan;
    if (!Number.isFinite(fileWriteS)) return recorded;
    const offsetS = timeS - fileWriteS;
    if (this.clock === undefined) this.begin(eventBytes.subarray(clockStart, clockEnd), offsetS);
    const clock = this.clock!;
    const isOurs = eventBytes.compare(clock, 0, clock.length, clockStart, clockEnd) === 0;
    if (isOurs && Math.abs(offsetS - this.offsetS) < sameBootS) return { event, timeS: fileWriteS + this.offsetS };
    const writtenS = timeS - this.offsetS;
    if (!isOurs || secondsAt < 0) {
      const bytes = this.stamper!.append(removeStamps(eventBytes, [semantics.fileWrite]), [writtenS]);
      return { event: event.restamped(bytes), timeS };
    }
    const bytes = this.copy(eventBytes);
    bytes.writeDoubleLE(writtenS, secondsAt);
    return { event: event.restamped(bytes), timeS };
  }

  /** A copy on a slab that many share: small buffers by the million fragment the memory. */
  private copy(bytes: Buffer): Buffer {
    if (this.slabUsed + bytes.length > this.slab.length) {
      this.slab = Buffer.allocUnsafeSlow(Math.max(slabBytes, bytes.length));
      this.slabUsed = 0;
    }
    const end = this.slabUsed + bytes.copy(this.slab, this.slabUsed);
    const copy = this.slab.subarray(this.slabUsed, end);
    this.slabUsed = end;
    return copy;
  }

  private begin(clock: Buffer, offsetS: number): void {
    this.clock = Buffer.from(clock);
    this.stamper = new EventStamper([{ clockName: clock.toString(), semantics: semantics.fileWrite }]);
    this.offsetS = offsetS;
  }
}
