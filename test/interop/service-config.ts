import type { PublishedPath, RequestPath, ServiceConfig } from '../../src/index.js';

const fileOf = (type: string) => `google/protobuf/${type.endsWith('Struct') ? 'struct' : 'wrappers'}.proto`;

/** An entry of a configuration: published paths as `path: type`, request paths as `path: [request, reply]`. */
export function serviceConfig(
  name: string,
  published: Readonly<Record<string, string | Partial<PublishedPath>>> = {},
  requests: Readonly<Record<string, readonly [string, string]>> = {},
  port = 0,
): ServiceConfig {
  return {
    name,
    host: 'localhost',
    port,
    subscriptions: [],
    published: Object.entries(published).map(([path, given]) => {
      const { type = '', ...rest } = typeof given === 'string' ? { type: given } : given;
      return { path, type, pb: fileOf(type), history: 0, latch: false, ...rest };
    }),
    requests: Object.entries(requests).map(([path, [request, reply]]): RequestPath => ({ path, request, reply })),
    args: [],
    logLevel: 'info',
  };
}
