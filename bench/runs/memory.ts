import { setTimeout as delay } from 'node:timers/promises';
import type { Retained } from '../end.js';
import type { Subject, SubjectOptions } from '../subjects.js';
import type { Workload } from '../workload.js';
import { type Figures, Pair } from './pair.js';

interface Held {
  readonly publisher: Retained;
  readonly subscriber: Retained;
  readonly brokerBytes: number;
}

const warmSubscribers = 10;
const idleSubscribers = 1_000;

/** One subscriber stops reading after its first event, and the publisher goes on. */
export async function runStalled(pair: Pair, events: number): Promise<Figures> {
  await pair.subscribe(1, { stalled: true });
  await pair.publisher.ask('burst', { events: 100 });
  const before = await hold(pair);
  await pair.publisher.ask('burst', { events });
  await delay(200);
  const after = await hold(pair);
  const publisher = after.publisher.bytes - before.publisher.bytes;
  const subscriber = after.subscriber.bytes - before.subscriber.bytes;
  const broker = after.brokerBytes - before.brokerBytes;
  return {
    // What the collector gives back while it measures must not make the cost negative.
    'memory-stalled': Math.max(0, publisher + subscriber + broker) / 1e6,
    'publisher-mb': publisher / 1e6,
    'subscriber-mb': subscriber / 1e6,
    ...(pair.broker === undefined ? {} : { 'broker-mb': broker / 1e6 }),
    'publisher-rss-mb': (after.publisher.rssBytes - before.publisher.rssBytes) / 1e6,
  };
}

/** What each of many subscribers costs that are connected and get nothing. */
export async function runIdle(pair: Pair): Promise<Figures> {
  await pair.subscribe(warmSubscribers);
  const before = await hold(pair);
  await pair.subscribe(idleSubscribers, { before: warmSubscribers });
  const after = await hold(pair);
  const each = (bytes: number): number => bytes / idleSubscribers / 1e3;
  const publisher = each(after.publisher.bytes - before.publisher.bytes);
  const broker = each(after.brokerBytes - before.brokerBytes);
  return {
    'memory-idle': pair.broker === undefined ? publisher : broker,
    'publisher-rss-kb': each(after.publisher.rssBytes - before.publisher.rssBytes),
    'subscriber-kb': each(after.subscriber.bytes - before.subscriber.bytes),
  };
}

/** Both ends from nothing to the first event, one after the other. */
export async function runStartup(subject: Subject, workload: Workload, options: SubjectOptions): Promise<Figures> {
  const startMs = performance.now();
  const pair = await Pair.open(subject, workload, options, { oneByOne: true });
  try {
    await pair.subscriber.ask('subscribe', { count: 1, stalled: false });
    await pair.publisher.ask('subscribed', { count: 1 });
    await pair.publisher.ask('start', { rateHz: 1_000 });
    await pair.subscriber.ask('first');
    return { startup: performance.now() - startMs - pair.brokerMs };
  } finally {
    await pair.close();
  }
}

async function hold({ publisher, subscriber, broker }: Pair): Promise<Held> {
  const [one, other] = await Promise.all([publisher.ask<Retained>('retained'), subscriber.ask<Retained>('retained')]);
  return { publisher: one, subscriber: other, brokerBytes: broker?.rssBytes ?? 0 };
}
