import type { StructObject } from '../messages/struct.js';
import type { PublishedPaths } from './published-paths.js';
import type { SubscriberSet } from './subscriber-set.js';

export const healthPath = '/health';
export const healthType = 'google.protobuf.Struct';

const periodMs = 1000;
// Enough to find who is slow, and a bound on the size of the message.
const maxListed = 32;

/** Publishes `/health` once a second until the function it returns is called. */
export function startHealth(
  paths: PublishedPaths,
  subscribers: SubscriberSet,
  publish: (health: StructObject) => Promise<unknown>,
): () => void {
  const timer = setInterval(() => {
    // A service that is closing refuses; there is nobody left to tell.
    publish(healthOf(paths, subscribers)).catch(() => undefined);
  }, periodMs);
  return () => clearInterval(timer);
}

/**
 * farm-ng's four numbers for each path, and beyond them `subscribers`: those that lost events or have some
 * queued, the slowest first, at most 32.
 */
function healthOf(paths: PublishedPaths, subscribers: SubscriberSet): StructObject {
  const health: StructObject = {};
  for (const topic of paths.topics()) {
    health[`${topic.path}/send_count`] = topic.sendCount;
    health[`${topic.path}/send_clients`] = topic.subscribers.size;
    health[`${topic.path}/rate`] = topic.rateHz;
    health[`${topic.path}/dropped`] = topic.dropped;
  }
  health.queued_bytes = subscribers.queuedBytes;
  health.subscribers = [...subscribers]
    .filter(({ dropped, queued }) => dropped > 0 || queued > 0)
    .sort((one, other) => other.dropped - one.dropped || other.queued - one.queued)
    .slice(0, maxListed)
    .map(({ peer, pattern, quality, delivered, queued, dropped }) => ({
      peer,
      path: pattern,
      overflow: quality.overflow,
      depth: quality.depth,
      delivered,
      queued,
      dropped,
    }));
  return health;
}
