import type { Command } from 'commander';
import type { MeshEvent } from '../messages/mesh-event.js';
import { act, furrowCommand } from './furrow-command.js';
import { sendStamp } from './hz.js';
import { addMeasureOptions, type MeasureOptions, type Meter, measure } from './measure.js';
import { RateMeter } from './rate-meter.js';
import { Window } from './statistics.js';
import { showBytes, showRate } from './units.js';

/** `furrow bw`: how many bytes a path takes. */
export function bwCommand(): Command {
  const command = addMeasureOptions(
    furrowCommand(
      'bw',
      'Measure the bytes that a path takes.\n' +
        'What one subscriber costs: event and payload, as they are sent.\n' +
        'With --json: one line a second and path, {service, path, bytesPerSecond, rateHz, minBytes, meanBytes, maxBytes, received, lost, silentS?}, with final: true at the end.',
      "furrow bw 'oak/0/*'",
      'furrow bw agent-1/sample --duration-ms 10000 --json',
    ),
  );
  return act<MeasureOptions>(command, async (context, [text = '']) => {
    await measure(context, text, () => new BandwidthMeter(context.options));
    return undefined;
  });
}

/** Bytes of one path. The rate comes from sequences, so what we lost is counted at the size of what we got. */
export class BandwidthMeter implements Meter {
  readonly head = ['bandwidth', 'rate', 'min', 'mean', 'max', 'lost'];
  private readonly rate: RateMeter;
  private readonly sizes: Window;

  constructor(options: { readonly everyN: number; readonly window: number }) {
    this.rate = new RateMeter(options);
    this.sizes = new Window(options.window);
  }

  add(event: MeshEvent): void {
    const stamp = sendStamp(event);
    if (stamp !== undefined) this.rate.add(event.sequence, stamp.stamp);
    this.sizes.add(event.eventBytes.length + event.payload.length);
  }

  get row(): readonly string[] {
    const { rateHz, lost } = this.rate.report;
    const { summary } = this.sizes;
    const sizes = [summary?.min, summary?.mean, summary?.max];
    return [
      this.bytesPerSecond === undefined ? '…' : `${showBytes(this.bytesPerSecond)}/s`,
      rateHz === undefined ? '…' : showRate(rateHz),
      ...sizes.map((bytes) => (bytes === undefined ? '–' : showBytes(bytes))),
      String(lost),
    ];
  }

  get text(): string {
    const [bandwidth, rate, min, mean, max, lost] = this.row;
    return `${bandwidth}  ${rate}  min ${min}  mean ${mean}  max ${max}  lost ${lost}`;
  }

  get json(): object {
    const { rateHz, received, lost } = this.rate.report;
    const { summary } = this.sizes;
    return {
      bytesPerSecond: this.bytesPerSecond,
      rateHz,
      minBytes: summary?.min,
      meanBytes: summary?.mean,
      maxBytes: summary?.max,
      received,
      lost,
    };
  }

  private get bytesPerSecond(): number | undefined {
    const { rateHz } = this.rate.report;
    const { summary } = this.sizes;
    return rateHz === undefined || summary === undefined ? undefined : rateHz * summary.mean;
  }
}
