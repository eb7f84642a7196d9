import type { Command } from 'commander';
import type { MeshEvent } from '../messages/mesh-event.js';
import { semantics, type Timestamp } from '../messages/timestamp.js';
import { act, furrowCommand } from './furrow-command.js';
import { addMeasureOptions, type MeasureOptions, type Meter, measure } from './measure.js';
import { RateMeter } from './rate-meter.js';
import { showRate, showSeconds } from './units.js';

/** `furrow hz`: how often a path is published. */
export function hzCommand(): Command {
  const command = addMeasureOptions(
    furrowCommand(
      'hz',
      'Measure how often a path is published.\n' +
        'From the stamps of sending and the sequences: neither the network nor events that we lose change the result.\n' +
        'With --json: one line a second and path, {service, path, rateHz, minS, meanS, maxS, stdS, window, received, lost, silentS?}, with final: true at the end.',
      'furrow hz agent-1/sample',
      "furrow hz 'agent-1/*' --duration-ms 10000",
    ),
  );
  return act<MeasureOptions>(command, async (context, [text = '']) => {
    await measure(context, text, () => new HzMeter(context.options));
    return undefined;
  });
}

/** The rate of one path, shown. */
export class HzMeter implements Meter {
  readonly head = ['rate', 'min', 'mean', 'max', 'std', 'window', 'lost'];
  private readonly meter: RateMeter;

  constructor(options: { readonly everyN: number; readonly window: number }) {
    this.meter = new RateMeter(options);
  }

  add(event: MeshEvent): void {
    const stamp = sendStamp(event);
    if (stamp !== undefined) this.meter.add(event.sequence, stamp.stamp);
  }

  get row(): readonly string[] {
    const { rateHz, intervals, events, lost } = this.meter.report;
    const times = [intervals?.min, intervals?.mean, intervals?.max, intervals?.std];
    return [
      rateHz === undefined ? '…' : showRate(rateHz),
      ...times.map((seconds) => (seconds === undefined ? '–' : showSeconds(seconds))),
      String(events),
      String(lost),
    ];
  }

  get text(): string {
    const [rate, min, mean, max, std, window, lost] = this.row;
    return `${rate}  min ${min}  mean ${mean}  max ${max}  std ${std}  window ${window}  lost ${lost}`;
  }

  get json(): object {
    const { rateHz, intervals, events, received, lost } = this.meter.report;
    return {
      rateHz,
      minS: intervals?.min,
      meanS: intervals?.mean,
      maxS: intervals?.max,
      stdS: intervals?.std,
      window: events,
      received,
      lost,
    };
  }
}

/** When an event was sent, by the clock that never jumps where the event has it; else when it arrived. */
export function sendStamp(event: MeshEvent): Timestamp | undefined {
  return (
    event.stamp(semantics.serviceSend, '/monotonic') ??
    event.stamp(semantics.serviceSend) ??
    event.stamp(semantics.clientReceive)
  );
}
