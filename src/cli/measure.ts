import type { Command } from 'commander';
import logUpdate from 'log-update';
import { type Clock, systemClock } from '../base/clock.js';
import type { MeshEvent } from '../messages/mesh-event.js';
import { colors } from './colors.js';
import { heldBefore } from './event-age.js';
import { findTopic } from './find-topic.js';
import type { CommandContext } from './furrow-command.js';
import { wholeNumber } from './option-values.js';
import type { Output } from './output.js';
import { textTable } from './table.js';
import { addTopicOptions, requestedQuality, type TopicOptions } from './topic-options.js';
import { showSeconds } from './units.js';
import { watchState } from './watch-state.js';

export interface MeasureOptions extends TopicOptions {
  readonly window: number;
  readonly count?: number;
  readonly durationMs?: number;
}

/** What is measured of one path. */
export interface Meter {
  add(event: MeshEvent): void;
  /** Titles of the columns, the same at all times. */
  readonly head: readonly string[];
  readonly row: readonly string[];
  /** The same for one line of text. */
  readonly text: string;
  /** For `--json`. */
  readonly json: object;
  /** What to know about the numbers, or why there are none. */
  readonly remark?: string | undefined;
}

/** Adds the argument and options of `hz`, `bw` and `delay`. */
export function addMeasureOptions(command: Command): Command {
  return addTopicOptions(command)
    .option('--window <n>', 'measure over the newest n events', wholeNumber({ min: 2 }), 1000)
    .option('--count <n>', 'end after n events', wholeNumber({ min: 1 }))
    .option('--duration-ms <ms>', 'end after this time', wholeNumber({ min: 1 }));
}

const reportMs = 1000;
// Sequences tell what we did not see, so there is no need to make the publisher queue much for us.
const lightDepth = 50;

/**
 * Listens to `SERVICE/path`, hands its live events to a meter for each path, shows the meters once a second, and at
 * the end. Gives them back.
 */
export async function measure(
  context: CommandContext<MeasureOptions>,
  text: string,
  makeMeter: (path: string, clock: Clock) => Meter,
): Promise<ReadonlyMap<string, Meter>> {
  const { out, options, signal } = context;
  const { service, path, client, title } = await findTopic(context, text, { signal, wait: options.wait });
  const clock = systemClock();
  const isHeld = heldBefore(clock);
  const end = new AbortController();
  const stream = client.events(
    { path, depth: lightDepth, ...requestedQuality(options) },
    { signal: AbortSignal.any([signal, end.signal]) },
  );
  const endWatch = watchState(client, out);
  const board = new Board(out, title, { service: service.name, clock });
  const timer = setInterval(() => board.show(), reportMs);
  const duration = options.durationMs === undefined ? undefined : setTimeout(() => end.abort(), options.durationMs);
  let left = options.count ?? Number.POSITIVE_INFINITY;
  if (out.live) board.show();
  try {
    await stream.forEachBatch((batch) => {
      for (const event of batch) {
        // A latched value was sent whenever: it says nothing of the flow.
        if (left <= 0 || isHeld(event)) continue;
        left -= 1;
        board.meter(event.path, makeMeter).add(event);
      }
      if (left <= 0) end.abort();
    });
  } finally {
    clearInterval(timer);
    clearTimeout(duration);
    endWatch();
    await board.finish();
  }
  return board.meters;
}

/** Shows meters: in place on a terminal, as a line a second elsewhere. */
class Board {
  readonly meters = new Map<string, Meter>();
  private readonly heard = new Map<string, number>();
  private readonly out: Output;
  private readonly title: string;
  private readonly service: string;
  private readonly clock: Clock;

  constructor(out: Output, title: string, { service, clock }: { readonly service: string; readonly clock: Clock }) {
    this.out = out;
    this.title = title;
    this.service = service;
    this.clock = clock;
  }

  meter(path: string, make: (path: string, clock: Clock) => Meter): Meter {
    let meter = this.meters.get(path);
    if (meter === undefined) {
      meter = make(path, this.clock);
      this.meters.set(path, meter);
    }
    this.heard.set(path, this.clock.monotonic());
    return meter;
  }

  show(): void {
    if (this.out.live) logUpdate(this.meters.size === 0 ? `waiting for ${this.title} …` : this.table());
    else void this.lines({});
  }

  async finish(): Promise<void> {
    if (this.out.live) {
      if (this.meters.size > 0) logUpdate(this.table());
      else logUpdate(`no event of ${this.title} came`);
      logUpdate.done();
    } else await this.lines({ final: true });
  }

  private table(): string {
    const meters = [...this.meters];
    const head = meters[0]?.[1].head ?? [];
    const rows = meters.map(([path, meter]) => [
      `${this.service}${path}`,
      ...meter.row,
      colors.yellow(this.silence(path)),
    ]);
    const remarks = meters.flatMap(([path, { remark }]) =>
      remark === undefined ? [] : [colors.yellow(`${this.service}${path}: ${remark}`)],
    );
    const table = textTable(['path', ...head, ''], rows, { right: head.map((_, index) => index + 1) });
    return [table, ...remarks].join('\n');
  }

  private async lines(fields: object): Promise<void> {
    const { meters, out, title } = this;
    if (meters.size === 0) {
      const what = 'final' in fields ? 'no event came' : 'no event yet';
      if (out.json) await out.value({ topic: title, received: 0, ...fields });
      else await out.line(`${title}  ${what}`);
    }
    for (const [path, meter] of meters) {
      const silentS = this.silentSeconds(path);
      if (out.json)
        await out.value({
          service: this.service,
          path,
          ...meter.json,
          ...(silentS === undefined ? {} : { silentS }),
          ...fields,
        });
      else await out.line([`${this.service}${path}`, meter.text, this.silence(path)].filter(Boolean).join('  '));
    }
  }

  private silence(path: string): string {
    const seconds = this.silentSeconds(path);
    return seconds === undefined ? '' : `silent for ${showSeconds(seconds)}`;
  }

  /** A rate stays what it was when events stop coming, so that must be said. */
  private silentSeconds(path: string): number | undefined {
    const seconds = this.clock.monotonic() - (this.heard.get(path) ?? 0);
    return seconds > 2 ? seconds : undefined;
  }
}
