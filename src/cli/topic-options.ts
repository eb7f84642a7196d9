import { type Command, Option } from 'commander';
import { overflowPolicies, type QualityOfService } from '../config/types.js';
import { wholeNumber } from './option-values.js';

/** How a command that listens subscribes. */
export interface TopicOptions {
  readonly everyN: number;
  readonly depth?: number;
  readonly overflow?: QualityOfService['overflow'];
  readonly wait: boolean;
}

/** Adds the argument `SERVICE/path` and the options of a subscription. */
export function addTopicOptions(command: Command): Command {
  return command
    .argument('<service/path>', 'a path, SERVICE/* for all, SERVICE/prefix/* for those below')
    .option('--every-n <n>', 'only every n-th event (default: all)', wholeNumber(), 0)
    .option('--depth <n>', 'events that the publisher queues for us', wholeNumber({ min: 1 }))
    .addOption(new Option('--overflow <policy>', 'what it does when they are more').choices(overflowPolicies))
    .option('--wait', 'accept a path that nobody publishes yet', false);
}

/** The part of a subscription request that the options state. */
export function requestedQuality({ everyN, depth, overflow }: TopicOptions): {
  everyN: number;
  depth?: number;
  overflow?: QualityOfService['overflow'];
} {
  return {
    everyN,
    ...(depth === undefined ? {} : { depth }),
    ...(overflow === undefined ? {} : { overflow }),
  };
}
