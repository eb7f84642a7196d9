import { setTimeout as delay } from 'node:timers/promises';
import { Command } from 'commander';
import { cases } from './cases.js';
import type { Retained } from './end.js';
import { Pair } from './runs/pair.js';
import type { Received } from './tally.js';

/*
 * One publisher and one subscriber at full speed for as long as asked: does memory stay flat, and is anything lost?
 * Prints what live objects hold at both ends, sampled after a collection; exits with 1 when it grew or an event is missing.
 */

interface Options {
  readonly minutes: string;
  readonly json?: true;
}

const options = new Command('endurance')
  .option('--minutes <n>', 'how long', '10')
  .option('--json', 'one line of JSON instead of a table')
  .parse()
  .opts<Options>();

const samples = 20;
// Queues, windows and chunks of one stream.
const mostUnderWayMb = 8;
const mostResidentGrowth = 1.05;

const { workload } = cases.find(({ measures: [{ name }] }) => name === 'one-to-one')!;
const pair = await Pair.open('furrow', workload, {});
const held: { seconds: number; publisherMb: number; subscriberMb: number; rssMb: number }[] = [];
let result: { events: number; lost: number };
try {
  await pair.subscribe(workload.subscribers);
  await pair.publisher.ask('start', { rateHz: 0 });
  await delay(5_000);
  await pair.subscriber.ask('begin');
  const startMs = performance.now();
  for (let sample = 0; sample < samples; sample++) {
    await delay((Number(options.minutes) * 60_000) / samples);
    const [publisher, subscriber] = await Promise.all([
      pair.publisher.ask<Retained>('retained'),
      pair.subscriber.ask<Retained>('retained'),
    ]);
    const row = {
      seconds: Math.round((performance.now() - startMs) / 1e3),
      publisherMb: publisher.bytes / 1e6,
      subscriberMb: subscriber.bytes / 1e6,
      rssMb: (publisher.rssBytes + subscriber.rssBytes) / 1e6,
    };
    held.push(row);
    if (options.json === undefined) {
      const figures = [row.publisherMb, row.subscriberMb, row.rssMb].map((mb) => mb.toFixed(1).padStart(7)).join(' ');
      process.stdout.write(
        `${String(row.seconds).padStart(5)} s  publisher, subscriber, both resident: ${figures} MB\n`,
      );
    }
  }
  const { deliveries } = await pair.subscriber.ask<Received>('finish');
  const last = await pair.publisher.ask<number>('stop');
  const { lost } = await pair.subscriber.ask<{ lost: number }>('settle', { last });
  result = { events: deliveries, lost };
} finally {
  await pair.close();
}

const median = (values: readonly number[]): number => values.toSorted((one, other) => one - other)[values.length >> 1]!;
const third = Math.ceil(held.length / 3);
const thirds = (of: (row: (typeof held)[number]) => number): readonly [number[], number[]] => [
  held.slice(0, third).map(of),
  held.slice(-third).map(of),
];
// Events are under way while it is sampled, so of the live bytes only the least of several samples says something.
const grewLive = (of: (row: (typeof held)[number]) => number): boolean => {
  const [first, final] = thirds(of);
  return Math.min(...final) > Math.min(...first) + mostUnderWayMb;
};
const [residentFirst, residentFinal] = thirds(({ rssMb }) => rssMb);
const grewResident = median(residentFinal) > median(residentFirst) * mostResidentGrowth;
const flat =
  !grewResident && !grewLive(({ publisherMb }) => publisherMb) && !grewLive(({ subscriberMb }) => subscriberMb);
process.stdout.write(
  options.json === undefined
    ? `${result.events} events, ${result.lost} lost; memory ${flat ? 'is flat' : 'grew'}\n`
    : `${JSON.stringify({ ...result, flat, held })}\n`,
);
process.exitCode = flat && result.lost === 0 ? 0 : 1;
