import { readFileSync } from 'node:fs';
import { expect, it, vi } from 'vitest';
import { EventClient, type ServiceConfig } from '../../src/index.js';
import { ProcessMesh } from './process-mesh.js';

vi.setConfig({ testTimeout: 60_000 });

// From Node 24 on its HTTP/2 and TLS alone take ten megabytes more, which a bare process shows.
const maxMegabytes = Number(process.versions.node.split('.')[0]) >= 24 ? 100 : 90;

it.runIf(process.platform === 'linux')(`an idle service holds less than ${maxMegabytes} MB`, async () => {
  await using mesh = await ProcessMesh.make({
    services: ['agent-1', 'supervisor-1', 'storage'],
    args: { 'agent-1': ['rate=0.001', 'num_tasks=1'] },
  });
  const processes = mesh.startAll();
  const measure = async (service: ServiceConfig): Promise<number> => {
    // The second: it has connected to whomever it speaks to, and settled.
    await using client = new EventClient(service);
    let count = 0;
    for await (const _ of client.events('/health')) if (++count === 2) break;
    const status = readFileSync(`/proc/${processes.get(service.name)!.pid}/status`, 'utf8');
    return Number(status.match(/VmRSS:\s+(\d+) kB/)?.[1]) / 1024;
  };
  for (const megabytes of await Promise.all(mesh.config.services.map(measure))) {
    expect(megabytes).toBeGreaterThan(0);
    expect(megabytes).toBeLessThan(maxMegabytes);
  }
});
