import { setTimeout as delay } from 'node:timers/promises';
import { EventClient, Mesh, type MeshConfig, type ServiceConfig, TypeRegistry } from 'furrow';
import { openOutput, Recorder } from 'furrow/recording';

export const recordedPath = '/bench';

export function publisherConfig(port: number): ServiceConfig {
  const type = { type: 'google.protobuf.Struct', pb: 'google/protobuf/struct.proto' };
  return {
    name: 'bench',
    host: '127.0.0.1',
    port,
    subscriptions: [],
    published: [{ path: recordedPath, ...type, history: 0, latch: false }],
    requests: [],
    args: [],
    logLevel: 'warning',
  };
}

const settleMs = 1000;

/** Events a second from the publisher to one subscriber that loses none and does nothing with them. */
export async function subscribeRate(port: number, seconds: number): Promise<number> {
  const client = new EventClient(publisherConfig(port));
  const stop = new AbortController();
  let count = 0;
  const reading = client
    .events({ path: recordedPath, overflow: 'block', depth: 1000 }, { signal: stop.signal })
    .forEachBatch((events) => {
      count += events.length;
    });
  const rate = await rateOf(seconds, () => count);
  stop.abort();
  await reading.catch(() => undefined);
  client.close();
  return rate;
}

/** Events a second from the publisher into event files. */
export async function recordRate(port: number, seconds: number, base: string): Promise<number> {
  const config: MeshConfig = { file: 'bench', services: [publisherConfig(port)] };
  const registry = new TypeRegistry();
  const mesh = Mesh.from(config, { registry });
  const subscription = { publisher: 'bench', path: recordedPath, everyN: 0, qos: {} };
  const recorder = await Recorder.start(mesh, [subscription], { open: () => openOutput(base, { registry }) });
  const rate = await rateOf(seconds, () => recorder.report.events);
  const { lost } = await recorder.stop();
  mesh.close();
  if (lost > 0) throw new Error(`${lost} events were lost`);
  return rate;
}

async function rateOf(seconds: number, count: () => number): Promise<number> {
  await delay(settleMs);
  const [before, startMs] = [count(), performance.now()];
  await delay(seconds * 1000);
  return (count() - before) / ((performance.now() - startMs) / 1000);
}
