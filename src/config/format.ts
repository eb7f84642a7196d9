import { formatQuery } from '../base/query.js';
import type { LogLevel, MeshConfig, PublishedPath, RequestPath, ServiceConfig, SubscriptionConfig } from './types.js';

/**
 * Writes a configuration as the proto3 JSON of EventServiceConfigList that farm-ng's loader reads too: two spaces,
 * subscriptions in object form, each query ending in `service_name=…` because farm-ng's programs take what follows the
 * last `=`.
 */
export function formatConfig(config: Pick<MeshConfig, 'services'>): string {
  return `${JSON.stringify({ configs: config.services.map(entry) }, null, 2)}\n`;
}

const levels: Readonly<Record<LogLevel, string>> = {
  notset: 'NOTSET',
  debug: 'DEBUG',
  info: 'INFO',
  warning: 'WARNING',
  error: 'ERROR',
  critical: 'CRITICAL',
};

function entry(service: ServiceConfig): object {
  const { name, host, port, subscriptions, published, requests, args, logLevel } = service;
  const uris = [...published.map((path) => publishedUri(path, name)), ...requests.map(requestUri)];
  return {
    name,
    // An entry that is no server has no use for a host, unless it was given one.
    ...(port === undefined && host === 'localhost' ? {} : { host }),
    ...(port === undefined ? {} : { port }),
    ...(logLevel === 'notset' ? {} : { log_level: levels[logLevel] }),
    ...(args.length === 0 ? {} : { args }),
    ...(subscriptions.length === 0 ? {} : { subscriptions: subscriptions.map(subscription) }),
    ...(uris.length === 0 ? {} : { uris }),
  };
}

function subscription({ publisher, path, everyN, qos, history, type }: SubscriptionConfig): object {
  const query = stated([
    ['type', type],
    ['depth', qos.depth],
    ['overflow', qos.overflow],
    ['block_ms', qos.blockMs],
    ['history', history],
    ['service_name', publisher],
  ]);
  return { uri: { path, query }, every_n: everyN };
}

function publishedUri({ path, type, pb, history, latch }: PublishedPath, service: string): object {
  const query = stated([
    ['type', type],
    ['pb', pb],
    ['history', history || undefined],
    ['latch', latch || undefined],
    ['service_name', service],
  ]);
  return { scheme: 'protobuf', path, query };
}

function requestUri({ path, request, reply }: RequestPath): object {
  const query = stated([
    ['request', request],
    ['reply', reply],
  ]);
  return { scheme: 'request', path, ...(query === '' ? {} : { query }) };
}

function stated(parts: readonly (readonly [key: string, value: string | number | boolean | undefined])[]): string {
  return formatQuery(
    parts.flatMap(([key, value]) => (value === undefined || value === '' ? [] : [[key, String(value)] as const])),
  );
}
