import { setTimeout as sleep } from 'node:timers/promises';
import { credentials, makeGenericClientConstructor, type ServiceDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { EventService } from '../../src/index.js';
import { shippedProtos } from '../../src/messages/proto-directory.js';

/*
 * What 200,000 events of 1 KB cost a service whose one subscriber does not read: prints {growthBytes, dropped}. A
 * process of its own, because garbage collection must be called for and nothing else may be measured. The subscriber
 * is in another one; see memory.test.ts.
 *
 *     node --expose-gc stalled-subscriber.js publish           prints its port first
 *     node stalled-subscriber.js subscribe PORT OVERFLOW       prints "stalled" when it is
 */
const events = 200_000;
const payload = new Uint8Array(1024);

async function publish(): Promise<void> {
  const path = { path: '/blob', type: 'google.protobuf.BytesValue', pb: '', history: 0, latch: false };
  const service = new EventService({
    name: 'agent-1',
    host: '127.0.0.1',
    port: 0,
    subscriptions: [],
    published: [path],
    requests: [],
    args: [],
    logLevel: 'info',
  });
  await service.start();
  // Everything that is made once is made before the first measurement.
  for (let sent = 0; sent < 5_000; sent++) await service.publish('/blob', payload);
  console.log(service.port);
  while ((await service.publish('/blob', payload)).subscribers === 0) await sleep(5);
  const before = await usedBytes();
  let dropped = 0;
  for (let sent = 0; sent < events; sent++) dropped += (await service.publish('/blob', payload)).dropped;
  console.log(JSON.stringify({ growthBytes: (await usedBytes()) - before, dropped }));
  process.exit();
}

async function usedBytes(): Promise<number> {
  for (let round = 0; round < 5; round++) {
    globalThis.gc?.();
    await sleep(20);
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function subscribe(port: string, overflow: string): void {
  const protos = loadSync('farm_ng/core/event_service.proto', { includeDirs: [shippedProtos()] });
  const Client = makeGenericClientConstructor(protos['farm_ng.core.proto.EventService'] as ServiceDefinition, 'Events');
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  const query = `overflow=${overflow}&service_name=agent-1`;
  const call = client.subscribe!({ uri: { path: '/blob', query } });
  call.on('error', (error: Error) => {
    console.error(error.message);
    process.exit(1);
  });
  call.once('metadata', () => {
    call.read(0);
    console.log('stalled');
  });
}

const [mode, port = '', overflow = ''] = process.argv.slice(2);
if (mode === 'publish') await publish();
else subscribe(port, overflow);
