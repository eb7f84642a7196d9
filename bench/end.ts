import { channel } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { type Ends, nowMs, type PublisherEnd, type SubscriberEnd } from './ends/types.js';
import { type Ask, readLines, writeLine } from './json-lines.js';
import { Profile } from './profile.js';
import { Publishing } from './publishing.js';
import { percentiles, Tally } from './tally.js';
import type { Workload } from './workload.js';

/*
 * One end of a run, in a process of its own: `node end.js SUBJECT publisher|subscriber`. It does what the bench asks
 * over its standard input and answers on its standard output. Only the subject's own module is loaded.
 */

export interface Opening {
  readonly workload: Workload;
  readonly port: number;
}

export interface Retained {
  /** Bytes that live objects hold, in the heap and outside, after two collections. */
  readonly bytes: number;
  readonly rssBytes: number;
}

export interface Asked {
  readonly requests: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly latencyMs: { readonly p50: number; readonly p99: number } | null;
}

type Commands = Record<string, (args: never) => unknown>;

const subjects: Record<string, () => Promise<Ends>> = {
  furrow: () => import('./ends/furrow.js'),
  'furrow-public-way': () => import('./ends/furrow-public-way.js'),
  'grpc-js': () => import('./ends/grpc-js.js'),
  nats: () => import('./ends/nats.js'),
  'node-net': () => import('./ends/node-net.js'),
};

function publisherCommands(ends: Ends): Commands {
  let end: PublisherEnd;
  let publishing: Publishing;
  return {
    open: async ({ workload, port }: Opening) => {
      end = await ends.openPublisher(workload, port);
      publishing = new Publishing(end);
      return end.port;
    },
    subscribed: ({ count }: { count: number }) => end.subscribed(count),
    start: ({ rateHz }: { rateHz: number }) => publishing.start(rateHz),
    burst: ({ events }: { events: number }) => publishing.burst(events),
    begin: () => publishing.begin(),
    finish: () => publishing.finish(),
    stop: () => publishing.stop(),
    close: () => end.close(),
  };
}

function subscriberCommands(ends: Ends): Commands {
  let end: SubscriberEnd;
  let tally = new Tally(0);
  let bytesAtBegin = 0;
  const sockets: Socket[] = [];
  channel('net.client.socket').subscribe((message) => sockets.push((message as { socket: Socket }).socket));
  const bytesRead = (): number => sockets.reduce((sum, socket) => sum + socket.bytesRead, 0);
  return {
    open: async ({ workload, port }: Opening) => {
      end = await ends.openSubscriber(workload, port);
    },
    subscribe: async ({ count, stalled }: { count: number; stalled: boolean }) => {
      tally = new Tally(count);
      await end.subscribe(count, tally.take, { stalled });
    },
    // Resolves with the first event of every subscription.
    first: async () => {
      while (tally.live === 0) await delay(1);
    },
    begin: () => {
      bytesAtBegin = bytesRead();
      tally.begin();
    },
    finish: () => ({ ...tally.finish(), bytes: bytesRead() - bytesAtBegin }),
    // Waits until all subscriptions are at the last event, as long as something still comes.
    settle: async ({ last }: { last: number }) => {
      let before = -1;
      for (let quiet = 0; quiet < 20 && tally.missing(last) > tally.gaps; ) {
        quiet = tally.deliveries === before ? quiet + 1 : 0;
        before = tally.deliveries;
        await delay(50);
      }
      return { lost: tally.missing(last), disorder: tally.disorder };
    },
    request: ({ concurrency, milliseconds }: { concurrency: number; milliseconds: number }) =>
      ask(end, concurrency, milliseconds),
    close: () => end.close(),
  };
}

async function ask(end: SubscriberEnd, concurrency: number, milliseconds: number): Promise<Asked> {
  const latencies: number[] = [];
  const cpu = process.cpuUsage();
  const startMs = nowMs();
  const worker = async (): Promise<void> => {
    while (nowMs() - startMs < milliseconds) {
      const askedMs = nowMs();
      await end.request();
      latencies.push(nowMs() - askedMs);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  const used = process.cpuUsage(cpu);
  return {
    requests: latencies.length,
    seconds: (nowMs() - startMs) / 1e3,
    cpuSeconds: (used.user + used.system) / 1e6,
    latencyMs: percentiles(latencies),
  };
}

async function retained(): Promise<Retained> {
  for (let round = 0; round < 2; round++) {
    globalThis.gc?.();
    await delay(50);
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  return { bytes: heapUsed + external, rssBytes: rss };
}

async function main(): Promise<void> {
  const [subject = '', role] = process.argv.slice(2);
  const load = subjects[subject];
  if (load === undefined) throw new Error(`no subject "${subject}"; there are ${Object.keys(subjects).join(', ')}`);
  const ends = await load();
  const profile = new Profile();
  const commands: Commands = {
    ...(role === 'publisher' ? publisherCommands(ends) : subscriberCommands(ends)),
    retained,
    profile: () => profile.start(),
    profiled: ({ file }: { file: string }) => profile.write(file),
  };
  readLines(process.stdin, async (line) => {
    const { id, command, args } = line as Ask;
    try {
      const value = await commands[command]!(args as never);
      writeLine(process.stdout, { id, value });
      if (command === 'close') process.exit(0);
    } catch (error) {
      writeLine(process.stdout, { id, error: (error as Error).stack });
    }
  });
  process.stdin.on('end', () => process.exit(0));
}

await main();
