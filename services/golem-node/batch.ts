import { StringDecoder } from 'node:string_decoder';
import type { Capture, ScriptStep } from './exe-script.js';
import { newId } from './ids.js';
import { Notifier } from './notifier.js';
import type { CommandOutcome } from './run-command.js';
import type { Stamps } from './stamps.js';

type Stream = 'stdout' | 'stderr';

interface StepRecord {
  readonly output: Record<Stream, Buffer[]>;
  readonly decoders: Record<Stream, StringDecoder>;
  outcome?: CommandOutcome;
  finishedAt?: string;
}

/** A script that was sent to an activity, with everything that came of it so far. */
export class Batch {
  readonly id = newId();
  readonly steps: readonly ScriptStep[];
  readonly notifier = new Notifier();
  /** What a stream of events shows, in order. */
  readonly events: object[] = [];
  readonly #stamps: Stamps;
  readonly #records: StepRecord[] = [];
  #finished = false;

  constructor(steps: readonly ScriptStep[], stamps: Stamps) {
    this.steps = steps;
    this.#stamps = stamps;
  }

  get finished(): boolean {
    return this.#finished;
  }

  /** Commands that have ended. */
  get endedCount(): number {
    return this.#records.filter(({ outcome }) => outcome !== undefined).length;
  }

  get outputBytes(): number {
    return this.#records
      .flatMap(({ output }) => [...output.stdout, ...output.stderr])
      .reduce((sum, bytes) => sum + bytes.length, 0);
  }

  begin(index: number): void {
    this.#records[index] = {
      output: { stdout: [], stderr: [] },
      decoders: { stdout: new StringDecoder('utf8'), stderr: new StringDecoder('utf8') },
    };
    this.#event(index, { started: { command: this.steps[index]!.source } });
  }

  print(index: number, stream: Stream, bytes: Buffer): void {
    const record = this.#records[index]!;
    record.output[stream].push(bytes);
    const format = this.#capture(index, stream);
    if (format === 'binary') this.#event(index, { [stream]: [...bytes] });
    else if (format === 'string') this.#tell(index, stream, record.decoders[stream].write(bytes));
  }

  end(index: number, outcome: CommandOutcome): void {
    const record = this.#records[index]!;
    for (const stream of ['stdout', 'stderr'] as const) {
      if (this.#capture(index, stream) === 'string') this.#tell(index, stream, record.decoders[stream].end());
    }
    record.outcome = outcome;
    record.finishedAt = this.#stamps.next();
    if (outcome.code !== 0 || index === this.steps.length - 1) this.#finished = true;
    this.#event(index, { finished: { return_code: outcome.code, message: outcome.message ?? null } });
  }

  /** Ends a batch whose next command cannot begin any more. */
  abandon(message: string): void {
    if (this.#finished) return;
    const index = this.endedCount;
    if (this.#records[index] === undefined) this.begin(index);
    this.end(index, { code: 1, message });
  }

  /** Results of the commands that ended, as the interface shows them. */
  results(): object[] {
    return this.#records.flatMap((record, index) => {
      const { outcome, finishedAt } = record;
      if (outcome === undefined) return [];
      return [
        {
          index,
          eventDate: finishedAt,
          result: outcome.code === 0 ? 'Ok' : 'Error',
          stdout: this.#shown(index, 'stdout'),
          stderr: this.#shown(index, 'stderr'),
          message: outcome.message ?? null,
          isBatchFinished: outcome.code !== 0 || index === this.steps.length - 1,
        },
      ];
    });
  }

  #shown(index: number, stream: Stream): string | number[] | null {
    const format = this.#capture(index, stream);
    if (format === undefined) return null;
    const bytes = Buffer.concat(this.#records[index]!.output[stream]);
    return format === 'string' ? bytes.toString('utf8') : [...bytes];
  }

  #capture(index: number, stream: Stream): Capture | undefined {
    const { command } = this.steps[index]!;
    return command.kind === 'run' ? command.capture[stream] : undefined;
  }

  #tell(index: number, stream: Stream, text: string): void {
    if (text !== '') this.#event(index, { [stream]: text });
  }

  #event(index: number, kind: object): void {
    this.events.push({ batch_id: this.id, index, timestamp: this.#stamps.next(), kind });
    this.notifier.notify();
  }
}
