import type { Command } from 'commander';
import type { Clock } from '../base/clock.js';
import type { MeshEvent } from '../messages/mesh-event.js';
import { semantics } from '../messages/timestamp.js';
import { exitCodes } from '../program/exit-codes.js';
import { act, type CommandContext, furrowCommand } from './furrow-command.js';
import { addMeasureOptions, type MeasureOptions, type Meter, measure } from './measure.js';
import { Window } from './statistics.js';
import { showSeconds } from './units.js';

interface DelayOptions extends MeasureOptions {
  readonly from: string;
}

/** `furrow delay`: how long events are under way. */
export function delayCommand(): Command {
  const command = addMeasureOptions(
    furrowCommand(
      'delay',
      'Measure how long events are under way.\n' +
        'From a stamp of an event to its arrival here, within one clock: times of two machines cannot be compared, and then it is said and the exit code is 1.\n' +
        'With --json: one line a second and path, {service, path, minS, meanS, p50S, p99S, maxS, stdS, measured, unmeasured, reason?, silentS?}, with final: true at the end.',
      'furrow delay agent-1/sample',
      'furrow delay canbus/twist --from driver/receive',
    ),
  ).option('--from <semantics>', 'the stamp to start from', semantics.serviceSend);
  return act<DelayOptions>(command, delay);
}

async function delay(context: CommandContext<DelayOptions>, [text = '']: readonly string[]): Promise<number> {
  const { options } = context;
  const meters = await measure(context, text, (_path, clock) => new DelayMeter(options, clock));
  const blind = [...meters.values()].filter((meter) => meter instanceof DelayMeter && meter.isBlind);
  return meters.size > 0 && blind.length === meters.size ? exitCodes.failed : exitCodes.ok;
}

/** The delays of one path. */
export class DelayMeter implements Meter {
  readonly head = ['min', 'mean', 'p50', 'p99', 'max', 'std', 'events'];
  private readonly from: string;
  private readonly clock: Clock;
  private readonly delays: Window;
  private measured = 0;
  private unmeasured = 0;
  private reason: string | undefined;

  constructor({ from, window }: Pick<DelayOptions, 'from' | 'window'>, clock: Clock) {
    this.from = from;
    this.clock = clock;
    this.delays = new Window(window);
  }

  /** Whether events came and none could be measured. */
  get isBlind(): boolean {
    return this.measured === 0 && this.unmeasured > 0;
  }

  add(event: MeshEvent): void {
    const seconds = event.secondsBetween(this.from, semantics.clientReceive);
    if (seconds === undefined) {
      this.unmeasured += 1;
      this.reason ??= this.why(event);
    } else {
      this.measured += 1;
      this.delays.add(seconds);
    }
  }

  get row(): readonly string[] {
    const { summary } = this.delays;
    if (summary === undefined) return ['–', '–', '–', '–', '–', '–', '0'];
    const { min, mean, p50, p99, max, std } = summary;
    return [...[min, mean, p50, p99, max, std].map(showSeconds), String(this.measured)];
  }

  get remark(): string | undefined {
    return this.reason;
  }

  get text(): string {
    if (this.isBlind) return `no delay: ${this.reason}`;
    const [min, mean, p50, p99, max, std, events] = this.row;
    return `min ${min}  mean ${mean}  p50 ${p50}  p99 ${p99}  max ${max}  std ${std}  events ${events}`;
  }

  get json(): object {
    const { summary } = this.delays;
    return {
      minS: summary?.min,
      meanS: summary?.mean,
      p50S: summary?.p50,
      p99S: summary?.p99,
      maxS: summary?.max,
      stdS: summary?.std,
      measured: this.measured,
      unmeasured: this.unmeasured,
      reason: this.reason,
    };
  }

  private why({ timestamps }: MeshEvent): string {
    const clocks = timestamps.filter((stamp) => stamp.semantics === this.from).map(({ clockName }) => clockName);
    if (clocks.length === 0) {
      const known = [...new Set(timestamps.map((stamp) => stamp.semantics))].filter(
        (name) => name !== semantics.clientReceive,
      );
      return `events have no ${this.from} stamp; theirs are ${known.join(', ') || 'none'} (--from)`;
    }
    return (
      `${this.from} was read from ${clocks.join(' and ')}, and we read ${this.clock.monotonicName}: ` +
      'times of two clocks cannot be compared; run this on the machine of the publisher'
    );
  }
}
