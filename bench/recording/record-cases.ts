import { rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { EventClient, Mesh, type MeshConfig, type ServiceConfig, TypeRegistry } from 'furrow';
import { openOutput, Recorder } from 'furrow/recording';
import { useMemory } from './blocks.js';

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

/** How fast events came. */
export interface EventRate {
  readonly eventsPerS: number;
  /** Share of one processor that this process took for them. */
  readonly load: number;
}

const settleMs = 1000;
const mostBytesPerS = 150e6;

/** Events a second from the publisher to one subscriber that loses none and does nothing with them. */
export async function subscribeRate(port: number, seconds: number): Promise<EventRate> {
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

/** Events a second from the publisher into event files, which do not stay. */
export async function recordRate(port: number, seconds: number, base: string): Promise<EventRate> {
  await useMemory(`${base}.memory`, (settleMs / 1000 + seconds) * mostBytesPerS);
  const config: MeshConfig = { file: 'bench', services: [publisherConfig(port)] };
  const registry = new TypeRegistry();
  const mesh = Mesh.from(config, { registry });
  const subscription = { publisher: 'bench', path: recordedPath, everyN: 0, qos: {} };
  const recorder = await Recorder.start(mesh, [subscription], { open: () => openOutput(base, { registry }) });
  const rate = await rateOf(seconds, () => recorder.report.events);
  const { lost, files } = await recorder.stop();
  mesh.close();
  for (const file of files) await rm(file);
  if (lost > 0) throw new Error(`${lost} events were lost`);
  return rate;
}

async function rateOf(seconds: number, count: () => number): Promise<EventRate> {
  await delay(settleMs);
  const [before, startMs, cpu] = [count(), performance.now(), process.cpuUsage()];
  await delay(seconds * 1000);
  const { user, system } = process.cpuUsage(cpu);
  const tookMs = performance.now() - startMs;
  return { eventsPerS: (1000 * (count() - before)) / tookMs, load: (user + system) / 1000 / tookMs };
}
