import { MeshError } from '../base/errors.js';
import { splitServicePath } from '../config/service.js';
import type { MeshConfig, SubscriptionConfig } from '../config/types.js';
import { anyPath, isWildcard, matchesPath } from '../messages/uri.js';

/** A subscription to every path of every server of a configuration. */
export function everyPath(config: MeshConfig): SubscriptionConfig[] {
  return config.services.flatMap(({ name, port }) =>
    port === undefined ? [] : [{ publisher: name, path: anyPath, everyN: 0, qos: {} }],
  );
}

/**
 * Subscriptions to each `SERVICE/path`. Errors: `not-found` for an unknown service, `failed-precondition` for one without
 * a port.
 */
export function namedPaths(config: MeshConfig, texts: readonly string[]): SubscriptionConfig[] {
  const subscriptions = new Map<string, SubscriptionConfig>();
  for (const text of texts) {
    const { service, path } = splitServicePath(config, text);
    if (service.port === undefined) {
      throw new MeshError(
        'failed-precondition',
        `"${service.name}" has no port: it is a set of subscriptions; record those with --profile ${service.name}`,
      );
    }
    subscriptions.set(`${service.name} ${path}`, { publisher: service.name, path, everyN: 0, qos: {} });
  }
  return [...subscriptions.values()];
}

/**
 * Tells whether an event of `path` is for the subscription to write, or for a more exact one to the same service, so
 * that an event that several ask for is written once.
 */
export function ownsPath(
  subscriptions: readonly SubscriptionConfig[],
  subscription: SubscriptionConfig,
  path: string,
): boolean {
  const asking = subscriptions.filter(
    (other) => other.publisher === subscription.publisher && matchesPath(other.path, path),
  );
  return asking.every((other) => other === subscription || exactness(subscription) >= exactness(other));
}

function exactness({ path }: SubscriptionConfig): number {
  return isWildcard(path) ? path.length : Number.POSITIVE_INFINITY;
}
