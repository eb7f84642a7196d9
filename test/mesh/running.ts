import { EventClient, type EventClientOptions, EventService, type EventServiceOptions, type Logger } from 'furrow';
import { onTestFinished } from 'vitest';
import type { ServiceConfig } from '../../src/config/types.js';
import { TypeRegistry } from '../../src/messages/registry.js';

/** One for all tests of a file: reading the proto files takes longer than most tests. */
export const registry = new TypeRegistry();

export const struct = { type: 'google.protobuf.Struct', pb: 'google/protobuf/struct.proto' };
export const int32 = { type: 'google.protobuf.Int32Value', pb: 'google/protobuf/wrappers.proto' };
export const bytes = { type: 'google.protobuf.BytesValue', pb: 'google/protobuf/wrappers.proto' };

/** An entry of a configuration on a free port of this machine. */
export function entry(config: Partial<ServiceConfig> = {}): ServiceConfig {
  return {
    name: 'agent-1',
    host: '127.0.0.1',
    port: 0,
    subscriptions: [],
    published: [],
    requests: [],
    args: [],
    logLevel: 'info',
    ...config,
  };
}

/** A published path as a configuration declares it; Int32Value where nothing else is said. */
export function published(
  path: string,
  { history = 0, latch = false, type = int32 }: { history?: number; latch?: boolean; type?: typeof int32 } = {},
) {
  return { path, ...type, history, latch };
}

/** A service that runs until the test ends. */
export async function serve(
  config: Partial<ServiceConfig> = {},
  options: EventServiceOptions = {},
): Promise<EventService> {
  const service = new EventService(entry(config), { registry, ...options });
  onTestFinished(() => service.close());
  await service.start();
  return service;
}

/** A client of a service, or of a port of this machine, that is closed when the test ends. */
export function clientOf(service: EventService, options: EventClientOptions = {}): EventClient {
  return clientAt(service.port, service.config, options);
}

export function clientAt(
  port: number,
  config: Partial<ServiceConfig> = {},
  options: EventClientOptions = {},
): EventClient {
  const client = new EventClient(entry({ ...config, port }), { registry, ...options });
  onTestFinished(() => client.close());
  return client;
}

/** Waits until something is so; the test's own time limit ends a wait in vain. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 2));
}

/** Those who listen to a service now. */
export function subscribersOf(service: EventService) {
  // biome-ignore lint/complexity/useLiteralKeys: the way to a private field; the API shows only counts.
  return [...service['subscribers']];
}

/** Reads until `count` items are there, and leaves the rest. */
export async function take<T>(items: AsyncIterable<T>, count: number): Promise<T[]> {
  const taken: T[] = [];
  for await (const item of items) {
    taken.push(item);
    if (taken.length === count) break;
  }
  return taken;
}

/** Puts everything that comes into a list, from now on; `done` settles when the stream ends. */
export function gather<T>(items: AsyncIterable<T>): { readonly items: T[]; readonly done: Promise<void> } {
  const gathered: T[] = [];
  const read = async (): Promise<void> => {
    for await (const item of items) gathered.push(item);
  };
  const done = read();
  // A test that looks only at the items is not to fail by how the stream ended.
  done.catch(() => undefined);
  return { items: gathered, done };
}

/** A logger that keeps its lines as `level: message`. */
export function keepingLogger(): Logger & { readonly lines: string[] } {
  const lines: string[] = [];
  const log = (level: string) => (message: string) => void lines.push(`${level}: ${message}`);
  return { lines, debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') };
}
