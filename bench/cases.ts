import type { Subject } from './subjects.js';
import type { Workload } from './workload.js';

/** A figure that goes into the JSON under its own name. */
export interface Measure {
  readonly name: string;
  readonly unit: string;
  readonly better: 'more' | 'less';
  /** One line for the report. */
  readonly what: string;
}

/** How a case is run: see runs/. */
type Kind =
  | { readonly of: 'flow' }
  | { readonly of: 'paced'; readonly ratesHz: readonly number[] }
  | { readonly of: 'requests'; readonly concurrency: number }
  | { readonly of: 'stalled'; readonly events: number }
  | { readonly of: 'idle' }
  | { readonly of: 'startup' };

export interface BenchCase {
  readonly kind: Kind;
  /** The first one names the case. */
  readonly measures: readonly [Measure, ...Measure[]];
  readonly workload: Workload;
  readonly subjects: readonly Subject[];
}

/** The rate of the latency case; others are measured beside it for the plot. */
export const latencyRateHz = 10_000;

const plain: Workload = {
  message: 'bytes',
  payloadBytes: 40,
  subscribers: 1,
  ownClients: false,
  look: 'sequence',
  style: 'callback',
  lent: false,
  dropping: false,
};
const three: readonly Subject[] = ['furrow', 'furrow-public-way', 'grpc-js', 'nats'];
const withPython: readonly Subject[] = [...three, 'farm-ng'];
const withSockets: readonly Subject[] = [...three, 'node-net'];

function flow(
  name: string,
  what: string,
  workload: Partial<Workload>,
  options: { readonly unit?: string; readonly subjects?: readonly Subject[] } = {},
): BenchCase {
  const { unit = 'deliveries/s', subjects = three } = options;
  return {
    kind: { of: 'flow' },
    measures: [{ name, unit, better: 'more', what }],
    workload: { ...plain, ...workload },
    subjects,
  };
}

function requests(concurrency: number, measures: BenchCase['measures']): BenchCase {
  return { kind: { of: 'requests', concurrency }, measures, workload: plain, subjects: withPython };
}

/** Everything that the bench measures. */
export const cases: readonly BenchCase[] = [
  flow(
    'one-to-one',
    'one publisher, one subscriber that decodes the whole envelope and reaches into the payload of 40 bytes',
    { look: 'envelope' },
    { unit: 'events/s', subjects: withPython },
  ),
  flow(
    'one-to-one-iterator',
    'the same, read with `for await`, which costs a turn of the microtask queue per event',
    { look: 'envelope', style: 'iterator' },
    { unit: 'events/s' },
  ),
  flow(
    'fanout-16',
    '16 separate subscriptions from one client process, which look at the sequence only',
    { subscribers: 16 },
    { subjects: withPython },
  ),
  flow('fanout-64', 'the same with 64 subscriptions', { subscribers: 64 }),
  flow(
    'fanout-64-clients',
    'the same with 64 subscriptions, each of a client and a connection of its own, so that they have nothing in common',
    { subscribers: 64, ownClients: true },
    { subjects: ['furrow', 'grpc-js'] },
  ),
  flow('fanout-1000', '1,000 subscriptions of one client', { subscribers: 1_000 }),
  flow('struct-decoded', '16 subscriptions that each decode a `google.protobuf.Struct` of three fields (NATS: JSON)', {
    subscribers: 16,
    message: 'struct',
    look: 'struct',
  }),
  requests(1, [
    {
      name: 'request-alone',
      unit: 'ms',
      better: 'less',
      what: 'median time of a request and its reply, one at a time',
    },
    { name: 'request-1', unit: 'requests/s', better: 'more', what: 'requests a second, one at a time' },
  ]),
  requests(50, [
    { name: 'request-50', unit: 'requests/s', better: 'more', what: 'requests a second, 50 under way at once' },
  ]),
  {
    kind: { of: 'paced', ratesHz: [1_000, latencyRateHz, 30_000] },
    measures: [
      {
        name: 'latency-p50',
        unit: 'ms',
        better: 'less',
        what: 'median time from publisher to subscriber at a steady 10,000 events a second to 10 subscribers',
      },
      { name: 'latency-p99', unit: 'ms', better: 'less', what: 'the 99th percentile of the same' },
    ],
    workload: { ...plain, subscribers: 10, look: 'stamp' },
    subjects: three,
  },
  flow(
    'payload-64k',
    'one publisher, one subscriber, payloads of 64 KiB, which neither program keeps',
    { payloadBytes: 65_536, look: 'envelope', lent: true },
    { unit: 'MB/s', subjects: withSockets },
  ),
  flow(
    'payload-1m',
    'one publisher, one subscriber, payloads of 1 MiB, which neither program keeps',
    { payloadBytes: 1_048_576, look: 'envelope', lent: true },
    { unit: 'MB/s', subjects: withSockets },
  ),
  flow(
    'payload-1m-kept',
    'the same for programs that may write to a payload once it is published, and keep those that they get',
    { payloadBytes: 1_048_576, look: 'envelope' },
    { unit: 'MB/s', subjects: withSockets },
  ),
  {
    kind: { of: 'stalled', events: 200_000 },
    measures: [
      {
        name: 'memory-stalled',
        unit: 'MB',
        better: 'less',
        what: 'memory that a subscriber costs both ends and the broker when it reads one event of 200,000 of 1 KB',
      },
    ],
    workload: { ...plain, payloadBytes: 1_000, dropping: true },
    subjects: three,
  },
  {
    kind: { of: 'idle' },
    measures: [
      {
        name: 'memory-idle',
        unit: 'KB',
        better: 'less',
        what: 'memory of the service (NATS: the broker) for each of 1,000 subscribers that get nothing',
      },
    ],
    workload: plain,
    subjects: three,
  },
  {
    kind: { of: 'startup' },
    measures: [
      {
        name: 'startup',
        unit: 'ms',
        better: 'less',
        what: "from the publisher process's start to the first event in the subscriber process, started after it",
      },
    ],
    workload: plain,
    subjects: three,
  },
  flow(
    'tls',
    'as one-to-one, over TLS',
    { look: 'envelope', tls: { cert: '', key: '', ca: '' } },
    { unit: 'events/s' },
  ),
];

export const measures: readonly Measure[] = cases.flatMap((one) => one.measures);
