import { setTimeout as delay } from 'node:timers/promises';
import { EventClient, EventService, type MeshEvent, type ServiceConfig } from 'furrow';
import { depthFor, structMessage, type Workload } from '../workload.js';
import type { PublisherEnd, SubscriberEnd, Take } from './types.js';

const path = '/bench';
const bytesType = 'google.protobuf.BytesValue';
const structType = 'google.protobuf.Struct';
const requestType = 'google.protobuf.Int32Value';

function configOf({ message }: Workload, port: number): ServiceConfig {
  const published =
    message === 'struct'
      ? { path, type: structType, pb: 'google/protobuf/struct.proto', history: 0, latch: false }
      : { path, type: bytesType, pb: 'google/protobuf/wrappers.proto', history: 0, latch: false };
  return {
    name: 'bench',
    host: '127.0.0.1',
    port,
    subscriptions: [],
    published: [published],
    requests: [{ path: '/echo', request: requestType, reply: requestType }],
    args: [],
    logLevel: 'warning',
  };
}

/** Furrow's public API, as a program would use it. */
export async function openPublisher(
  workload: Workload,
  port: number,
  { publicWay = false }: { readonly publicWay?: boolean } = {},
): Promise<PublisherEnd> {
  const { tls, message, look, lent, dropping } = workload;
  const service = new EventService(configOf(workload, port), {
    publicWay,
    ...(tls === undefined ? {} : { tls: { cert: tls.cert, key: tls.key } }),
  });
  service.onRequest('/echo', (value) => value);
  await service.start();
  let last = -1;
  // Tag and length of the BytesValue are part of the payload.
  const size = Math.max(16, workload.payloadBytes - (workload.payloadBytes < 130 ? 2 : 4));
  const constant = Buffer.alloc(size, 0x5a);
  // As with node:net, whose subject sends its memory as it is.
  const options = { immutable: lent };
  const next = (stampMs: number): unknown => {
    if (message === 'struct') return structMessage;
    // A queue that holds one buffer many times over would say nothing of memory.
    if (look !== 'stamp') return dropping ? Buffer.from(constant) : constant;
    const bytes = Buffer.alloc(size, 0x5a);
    bytes.writeDoubleLE(stampMs, 0);
    return bytes;
  };
  return {
    port: service.port,
    get last() {
      return last;
    },
    async subscribed(count) {
      while (true) {
        const result = await service.publish(path, next(0));
        last = result.sequence;
        if (result.subscribers >= count) return;
        await delay(5);
      }
    },
    publish(stampMs) {
      last += 1;
      return service.publish(path, next(stampMs), options);
    },
    async close() {
      service.close();
    },
  };
}

export async function openSubscriber(workload: Workload, port: number): Promise<SubscriberEnd> {
  const { tls } = workload;
  const open = (): EventClient =>
    new EventClient(configOf(workload, port), { ...(tls === undefined ? {} : { tls: { ca: tls.ca } }) });
  const client = open();
  const others: EventClient[] = [];
  const request = {
    path,
    lend: workload.lent,
    ...(workload.dropping ? {} : { overflow: 'block' as const, depth: depthFor(workload), blockMs: 10_000 }),
  };
  return {
    async subscribe(count, take, { stalled }) {
      for (let index = 0; index < count; index++) {
        const look = looker(workload, index, take);
        const own = workload.ownClients ? open() : client;
        if (own !== client) others.push(own);
        if (stalled || workload.style === 'iterator') read(own, request, look, stalled).catch(fail);
        else own.subscribe(request).subscribe({ next: look, error: fail });
      }
    },
    request: () => client.request('/echo', 7),
    async close() {
      for (const one of [client, ...others]) one.close();
    },
  };
}

async function read(
  client: EventClient,
  request: { path: string },
  look: (event: MeshEvent) => void,
  stalled: boolean,
): Promise<void> {
  for await (const event of client.events(request)) {
    look(event);
    if (stalled) await new Promise(() => undefined);
  }
}

function looker({ look }: Workload, index: number, take: Take): (event: MeshEvent) => void {
  if (look === 'envelope') {
    return (event) => {
      const { timestamps, uri, payload } = event;
      if (timestamps.length < 2 || uri.path !== path || payload[payload.length - 1] === undefined) fail('no envelope');
      take(index, event.sequence, 0);
    };
  }
  if (look === 'struct') {
    return (event) => {
      if ((event.message as { sample: number }).sample !== structMessage.sample) fail('another message');
      take(index, event.sequence, 0);
    };
  }
  if (look === 'stamp') return (event) => take(index, event.sequence, event.payload.readDoubleLE(2));
  return (event) => take(index, event.sequence, 0);
}

function fail(reason: unknown): never {
  throw new Error(`furrow's subscriber: ${reason instanceof Error ? reason.message : String(reason)}`);
}
