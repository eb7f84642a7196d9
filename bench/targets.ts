import { formatNumber, formatRatio } from './format.js';
import { detailOf, type Results, timesAsGood } from './results.js';
import type { Subject } from './subjects.js';

/** What was measured against a target, in words, and whether that is enough. */
interface Outcome {
  readonly measured: string;
  readonly reached: boolean;
}

export interface Target {
  readonly measure: string;
  readonly wanted: string;
  /** Undefined where something it needs was not measured. */
  outcome(results: Results): Outcome | undefined;
}

/** What furrow should reach; ratios within one run wherever that is possible. */
export const targets: readonly Target[] = [
  ratio('one-to-one', 'grpc-js', 10),
  ratio('one-to-one', 'nats', 1.2),
  ratio('fanout-64', 'grpc-js', 40),
  ratio('fanout-64', 'nats', 2),
  {
    measure: 'fanout-1000',
    wanted: 'CPU for each delivery not above that of fanout-64',
    outcome: (results) => {
      const many = cpu(results, 'fanout-1000');
      const some = cpu(results, 'fanout-64');
      if (many === undefined || some === undefined) return undefined;
      return { measured: `${formatNumber(many)} µs, ${formatNumber(some)} µs`, reached: many <= some };
    },
  },
  ratio('struct-decoded', 'grpc-js', 5),
  ratio('request-50', 'grpc-js', 3),
  ratio('request-50', 'nats', 1),
  ratio('request-alone', 'nats', 1),
  ratio('latency-p50', 'nats', 1),
  ratio('latency-p99', 'nats', 1),
  ratio('payload-64k', 'grpc-js', 2),
  ratio('payload-64k', 'node-net', 0.5),
  ratio('payload-1m', 'grpc-js', 2),
  ratio('payload-1m', 'node-net', 0.5),
  atMost('memory-stalled', 8),
  atMost('memory-idle', 20),
  {
    measure: 'tls',
    wanted: 'half of one-to-one',
    outcome: (results) => {
      const [secure, plain] = [figure(results, 'tls'), figure(results, 'one-to-one')];
      if (secure === undefined || plain === undefined) return undefined;
      return { measured: formatRatio(secure / plain), reached: secure >= plain / 2 };
    },
  },
];

function ratio(measure: string, than: Subject, times: number): Target {
  return {
    measure,
    wanted: `${times}× ${than}`,
    outcome: (results) => {
      const reached = timesAsGood(results, measure, 'furrow', than);
      return reached === undefined ? undefined : { measured: formatRatio(reached), reached: reached >= times };
    },
  };
}

function atMost(measure: string, limit: number): Target {
  return {
    measure,
    wanted: `at most ${limit} ${measure === 'memory-idle' ? 'KB' : 'MB'}`,
    outcome: (results) => {
      const median = figure(results, measure);
      return median === undefined ? undefined : { measured: formatNumber(median), reached: median <= limit };
    },
  };
}

function figure(results: Results, measure: string): number | undefined {
  return results.cases[measure]?.furrow?.median;
}

function cpu(results: Results, measure: string): number | undefined {
  const publisher = detailOf(results, measure, 'furrow', 'cpu-publisher');
  const subscriber = detailOf(results, measure, 'furrow', 'cpu-subscriber');
  return publisher === undefined || subscriber === undefined ? undefined : publisher + subscriber;
}
