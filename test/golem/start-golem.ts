import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { GolemEvent, GolemOptions, Payload, RunServiceOptions, ServiceState } from 'furrow/golem';
import { type Cluster, Golem } from 'furrow/golem';
import { onTestFinished } from 'vitest';
import { FakeDaemon, type FakeProvider } from './fake-daemon.js';

export const payload: Payload = {
  decorateDemand: (demand) => void demand.ensure('(golem.runtime.name=vm)'),
};

/** Fast pauses, no health checks: what a test of something else wants. */
export const quick = {
  payload,
  respawnPauseMs: 1,
  graceMs: 30,
  starvedMs: 100,
  otherProviderWaitMs: 50,
  healthCheck: null,
} satisfies RunServiceOptions<never>;

export async function stateFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'golem-state-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export interface Started {
  readonly golem: Golem;
  readonly daemon: FakeDaemon;
  readonly events: GolemEvent[];
  /** Types of the events so far. */
  readonly types: () => string[];
}

/** A Golem on a daemon in memory; closed at the end of the test. */
export async function startGolem(
  providers: FakeProvider[] | FakeDaemon = [{ id: 'p1' }, { id: 'p2' }, { id: 'p3' }],
  options: Partial<GolemOptions> = {},
): Promise<Started> {
  const daemon = providers instanceof FakeDaemon ? providers : new FakeDaemon(providers);
  const events: GolemEvent[] = [];
  const golem = await Golem.open({
    budget: 1,
    daemon,
    stateDir: null,
    paymentNetwork: 'holesky',
    subnetTag: 'public',
    invoiceTimeoutMs: 300,
    eventConsumer: (event) => events.push(event),
    ...options,
  });
  onTestFinished(() => golem.close({ timeoutMs: 200 }));
  return { golem, daemon, events, types: () => events.map(({ type }) => type) };
}

/** Resolves when the condition holds at one of the cluster's changes. */
export async function until(cluster: Cluster, condition: (cluster: Cluster) => boolean): Promise<void> {
  if (condition(cluster)) return;
  await new Promise<void>((resolve, reject) => {
    const subscription = cluster.instances$.subscribe({
      next: () => {
        if (!condition(cluster)) return;
        resolve();
        queueMicrotask(() => subscription.unsubscribe());
      },
      complete: () => reject(new Error('the cluster ended before the condition held')),
    });
  });
}

export const allAre = (state: ServiceState) => (cluster: Cluster) =>
  cluster.instances.every((instance) => instance.state === state);

/** The states an instance went through, by its events. */
export function statesOf(events: readonly GolemEvent[], instanceId: string): string[] {
  const changes = events.filter((event) => event.type === 'ServiceStateChanged' && event.instanceId === instanceId);
  return ['pending', ...changes.map((event) => (event.type === 'ServiceStateChanged' ? event.state : ''))];
}
