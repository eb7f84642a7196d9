import { setTimeout as delay } from 'node:timers/promises';
import { latencyRateHz } from '../cases.js';
import type { Asked } from '../end.js';
import type { Sent } from '../publishing.js';
import type { Received } from '../tally.js';
import type { Workload } from '../workload.js';
import type { Figures, Pair, RunTimes } from './pair.js';

interface Window {
  readonly sent: Sent;
  readonly received: Received & { readonly bytes: number };
  readonly brokerCpuSeconds: number | undefined;
}

/** Publishes as fast as the subject lets it; the figure is what one subscriber process takes in. */
export async function runFlow(
  pair: Pair,
  name: string,
  unit: string,
  workload: Workload,
  times: RunTimes,
): Promise<Figures> {
  await pair.subscribe(workload.subscribers);
  await pair.publisher.ask('start', { rateHz: 0 });
  const window = await measure(pair, times);
  const { deliveries, seconds } = window.received;
  const rate = deliveries / seconds;
  return {
    [name]: unit === 'MB/s' ? (rate * workload.payloadBytes) / 1e6 : rate,
    ...costs(window),
    ...(await settle(pair)),
  };
}

/** Publishes at steady rates, one after the other; a subject that cannot keep one is not asked for the next. */
export async function runPaced(
  pair: Pair,
  ratesHz: readonly number[],
  workload: Workload,
  times: RunTimes,
): Promise<Figures> {
  await pair.subscribe(workload.subscribers);
  const figures: Figures = {};
  for (const rateHz of ratesHz) {
    await pair.publisher.ask('start', { rateHz });
    const window = await measure(pair, times);
    const settled = await settle(pair);
    const { latencyMs } = window.received;
    if (latencyMs === null) throw new Error(`no events at ${rateHz} events/s`);
    const achieved = window.sent.events / window.sent.seconds;
    figures[`p50-at-${rateHz}`] = latencyMs.p50;
    figures[`p99-at-${rateHz}`] = latencyMs.p99;
    figures[`achieved-at-${rateHz}`] = achieved;
    if (rateHz === latencyRateHz) {
      Object.assign(figures, { 'latency-p50': latencyMs.p50, 'latency-p99': latencyMs.p99, ...costs(window) });
    }
    figures.lost = settled.lost!;
    if (achieved < rateHz * 0.9) break;
  }
  return figures;
}

/** Closed loops of requests, so many at once. */
export async function runRequests(pair: Pair, concurrency: number, times: RunTimes): Promise<Figures> {
  await pair.subscriber.ask('request', { concurrency, milliseconds: times.warmMs });
  const brokerCpu = pair.broker?.cpuSeconds;
  const { asked, served } = await pair.profiled(async () => {
    await pair.publisher.ask('begin');
    return {
      asked: await pair.subscriber.ask<Asked>('request', { concurrency, milliseconds: times.measureMs }),
      served: await pair.publisher.ask<Sent>('finish'),
    };
  });
  const { requests, seconds, cpuSeconds, latencyMs } = asked;
  if (latencyMs === null) throw new Error('no reply came');
  const perRequest = 1e6 / requests;
  return {
    [`request-${concurrency}`]: requests / seconds,
    ...(concurrency === 1 ? { 'request-alone': latencyMs.p50 } : {}),
    p50: latencyMs.p50,
    p99: latencyMs.p99,
    'cpu-publisher': served.cpuSeconds * perRequest,
    'cpu-subscriber': cpuSeconds * perRequest,
    ...(brokerCpu === undefined ? {} : { 'cpu-broker': (pair.broker!.cpuSeconds - brokerCpu) * perRequest }),
  };
}

async function measure(pair: Pair, { warmMs, measureMs }: RunTimes): Promise<Window> {
  await delay(warmMs);
  return pair.profiled(() => measureFor(pair, measureMs));
}

async function measureFor({ publisher, subscriber, broker }: Pair, measureMs: number): Promise<Window> {
  const brokerBefore = broker?.cpuSeconds;
  await Promise.all([publisher.ask('begin'), subscriber.ask('begin')]);
  await delay(measureMs);
  const [sent, received] = await Promise.all([
    publisher.ask<Sent>('finish'),
    subscriber.ask<Window['received']>('finish'),
  ]);
  return {
    sent,
    received,
    brokerCpuSeconds: brokerBefore === undefined ? undefined : broker!.cpuSeconds - brokerBefore,
  };
}

/** Microseconds of CPU and bytes on the subscriber's sockets, for each delivery. */
function costs({ sent, received, brokerCpuSeconds }: Window): Figures {
  const { deliveries } = received;
  if (deliveries === 0) throw new Error('nothing was delivered while it was measured');
  return {
    'cpu-publisher': (sent.cpuSeconds * 1e6) / deliveries,
    'cpu-subscriber': (received.cpuSeconds * 1e6) / deliveries,
    ...(brokerCpuSeconds === undefined ? {} : { 'cpu-broker': (brokerCpuSeconds * 1e6) / deliveries }),
    // A TLS socket that the library opens itself cannot be seen.
    ...(received.bytes === 0 ? {} : { bytes: received.bytes / deliveries }),
  };
}

/** Stops the publisher and counts what never came, after everything under way has had its time. */
async function settle({ publisher, subscriber }: Pair): Promise<Figures> {
  const last = await publisher.ask<number>('stop');
  const { lost, disorder } = await subscriber.ask<{ lost: number; disorder: number }>('settle', { last });
  if (disorder > 0) throw new Error(`${disorder} events came twice or out of order`);
  return { lost };
}
