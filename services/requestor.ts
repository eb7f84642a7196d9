import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command, InvalidArgumentError } from 'commander';
import { MeshError } from 'furrow';
import { type Cluster, Golem, type RunServiceOptions, type ServiceInstance, vm } from 'furrow/golem';
import { Desk } from './simple-service/desk.js';
import { type Requested, SimpleService, type SimpleServiceParams } from './simple-service/simple-service.js';

/*
 * The requestor of the simple service, without a mesh: runs instances for a time, prints what becomes of them, saves
 * their plots, and leaves nothing behind. Without YAGNA_APPKEY it brings a local node of its own.
 */

interface Options {
  readonly numInstances: number;
  readonly runningTime: number;
  readonly showUsage: boolean;
  readonly subnetTag?: string;
  readonly paymentDriver?: string;
  readonly paymentNetwork?: string;
  readonly budget: string;
  readonly image: string;
}

const roundMs = 5000;
const startTimeoutMs = 300_000;

const options = new Command('requestor')
  .description('Runs instances of the simple service on Golem.')
  .option('--num-instances <number>', 'how many', count, 1)
  .option('--running-time <seconds>', 'how long, once all of them run', seconds, 30)
  .option('--show-usage', 'print what the providers have counted, and its cost', false)
  .option('--subnet-tag <tag>', 'only providers of this subnet')
  .option('--payment-driver <driver>', 'payment driver')
  .option('--payment-network <network>', 'payment network')
  .option('--budget <GLM>', 'most that is paid', '1')
  .option('--image <image>', 'tag or hash of the image', 'furrow/simple-service:latest')
  .allowExcessArguments(false)
  .parse()
  .opts<Options>();

const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort(name));
const { signal } = stop;

try {
  const node = process.env.YAGNA_APPKEY ? undefined : await localNode();
  try {
    await run(node);
  } finally {
    await node?.close();
  }
} catch (error) {
  print(`failed: ${MeshError.from(error).message}`);
  process.exitCode = 1;
}

async function run(node: { readonly url: string; readonly appKey: string } | undefined): Promise<void> {
  const { subnetTag, paymentDriver, paymentNetwork, budget, image } = options;
  const logger = { warn: print, error: print };
  const money = { budget, subnetTag, paymentDriver, paymentNetwork };
  await using golem = await Golem.open({ ...money, yagna: { ...node }, logger });
  const desks = Array.from({ length: options.numInstances }, () => new Desk<Requested>());
  const cluster = await golem.runService(SimpleService, {
    instanceParams: desks.map((desk, index) => params(`simple-service-${index + 1}`, desk)),
    payload: vm.repo({
      ...(/^[0-9a-f]{56}$/i.test(image) ? { imageHash: image } : { imageTag: image }),
      ...(node === undefined ? {} : { registryUrl: node.url }),
      minStorageGib: 1,
    }),
  } satisfies RunServiceOptions<SimpleServiceParams>);
  const states = new Map<string, string>();
  const watch = cluster.instances$.subscribe((instances) => {
    for (const instance of instances) {
      if (states.get(instance.name) === instance.state) continue;
      states.set(instance.name, instance.state);
      print(line(instance));
    }
  });
  print(`starting ${options.numInstances} instances`);
  await settled(cluster);
  const until = performance.now() + options.runningTime * 1000;
  while (!signal.aborted && performance.now() < until && some(cluster, 'running')) {
    for (const [index, instance] of cluster.instances.entries()) await report(instance, desks[index]!);
    await sleep(Math.max(0, Math.min(roundMs, until - performance.now())), undefined, { signal }).catch(
      () => undefined,
    );
  }
  for (const [index, instance] of cluster.instances.entries()) await savePlots(instance, desks[index]!);
  print('stopping');
  await cluster.terminate();
  watch.unsubscribe();
  await golem.close();
  print(`stopped; ${await golem.spent()} GLM accepted`);
  if (cluster.instances.some(({ reason }) => reason?.kind !== 'stopped')) process.exitCode = 1;
}

function params(instanceName: string, desk: Desk<Requested>): SimpleServiceParams {
  const nothing = async (): Promise<void> => undefined;
  return {
    instanceName,
    desk,
    rateHz: 1,
    sampleMs: Number.POSITIVE_INFINITY,
    statsMs: Number.POSITIVE_INFINITY,
    plotMs: Number.POSITIVE_INFINITY,
    redeploys: false,
    wantsSamples: () => true,
    onObservation: nothing,
    onStatistics: nothing,
    onPlot: nothing,
    onTrouble: print,
  };
}

async function report({ name, state }: ServiceInstance, desk: Desk<Requested>): Promise<void> {
  if (state !== 'running') return;
  const statistics = await desk.ask((instance) => instance.statistics()).catch(told);
  if (statistics !== undefined) print(`${name}: ${JSON.stringify(statistics)}`);
  if (!options.showUsage) return;
  const usage = await desk.ask((instance) => instance.usage()).catch(told);
  if (usage !== undefined) print(`${name}: ${JSON.stringify(usage.counters)}, ${usage.cost?.toFixed(9) ?? '?'} GLM`);
}

async function savePlots({ name, state }: ServiceInstance, desk: Desk<Requested>): Promise<void> {
  for (const kind of state === 'running' ? ['time', 'dist'] : []) {
    const plot = await desk.ask((instance) => instance.plot(kind)).catch(told);
    if (plot === undefined || plot.png.length === 0) continue;
    const path = resolve(plot.name);
    writeFileSync(path, plot.png);
    print(`${name}: plot saved to ${path}`);
  }
}

/** Waits until every instance runs or has ended, or it is told to stop; not for ever. */
async function settled(cluster: Cluster): Promise<void> {
  await new Promise<void>((done) => {
    signal.addEventListener('abort', () => done(), { once: true });
    setTimeout(done, startTimeoutMs).unref();
    cluster.instances$.subscribe({
      next: (all) => {
        if (all.every(({ state }) => state === 'running' || state === 'terminated')) done();
      },
      complete: done,
    });
  });
}

function some(cluster: Cluster, state: string): boolean {
  return cluster.instances.some((instance) => instance.state === state);
}

function line({ name, state, provider, why }: ServiceInstance): string {
  return [`${name} is ${state}${provider === undefined ? '' : ` on ${provider.name}`}`, why].filter(Boolean).join(': ');
}

function told(error: unknown): undefined {
  print(MeshError.from(error).message);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function localNode() {
  const [{ startGolemNode }, { simpleServiceImage }] = await Promise.all([
    import('./golem-node/start-golem-node.js'),
    import('./simple-service/local-image.js'),
  ]);
  const node = await startGolemNode({ images: [simpleServiceImage()] });
  print(`YAGNA_APPKEY is not set, so this runs on a local node. ${node.notice}`);
  return node;
}

function count(text: string): number {
  if (!/^[1-9]\d{0,2}$/.test(text)) throw new InvalidArgumentError('It is a number from 1 to 999.');
  return Number(text);
}

function seconds(text: string): number {
  const value = Number(text);
  if (!(value >= 0 && value < 1e6)) throw new InvalidArgumentError('It is a time in seconds.');
  return value;
}
