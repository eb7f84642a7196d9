import { afterAll } from 'vitest';
import type { ServiceConfig } from '../../src/config/types.js';
import { EventClient, type EventClientOptions } from '../../src/mesh/event-client.js';
import { EventService } from '../../src/mesh/event-service.js';
import type { EventServiceOptions } from '../../src/mesh/event-service-options.js';
import { entry, registry } from '../mesh/running.js';

/* Tests that run side by side cannot use onTestFinished: it means whichever of them began last. */

const closers: (() => void)[] = [];

afterAll(() => {
  for (const close of closers.splice(0)) close();
});

/** Calls `close` when the tests of the file are over. */
export function closeAtEnd(close: () => void): void {
  closers.push(close);
}

/** A service on a free port. */
export async function serve(
  config: Partial<ServiceConfig> = {},
  options: EventServiceOptions = {},
): Promise<EventService> {
  const service = new EventService(entry(config), { registry, ...options });
  closeAtEnd(() => service.close());
  await service.start();
  return service;
}

/** A client of a port of this machine. */
export function clientAt(
  port: number,
  config: Partial<ServiceConfig> = {},
  options: EventClientOptions = {},
): EventClient {
  const client = new EventClient(entry({ ...config, port }), { registry, ...options });
  closeAtEnd(() => client.close());
  return client;
}
