import { Mesh, type MeshConfig } from 'furrow';
import { startMesh } from 'furrow/testing';
import { expect, onTestFinished, test } from 'vitest';
import { entry, gather, int32, published, registry, subscribersOf, until } from './running.js';

const residual = { path: '/residual', request: int32.type, reply: int32.type };
const config: MeshConfig = {
  file: 'service_config.json',
  services: [
    entry({ name: 'agent-1', port: 1, published: [published('/sample')], requests: [residual] }),
    entry({ name: 'agent-2', port: 2, published: [published('/sample')], requests: [residual] }),
    entry({ name: 'agent-3', port: 3, requests: [residual] }),
    entry({ name: 'oak/1', port: 4, published: [published('/rgb')] }),
    (({ port: _, ...profile }) => profile)(entry({ name: 'profile' })),
  ],
};

async function running() {
  const started = await startMesh(config, {}, { registry });
  onTestFinished(() => started.close());
  return started;
}

test('paths are named SERVICE/path, and split at the longest name', async () => {
  const { mesh, service } = await running().then((started) => ({
    mesh: started.mesh,
    service: (name: string) => started.service(name),
  }));
  service('agent-1').onRequest('/residual', (value: number) => value + 1);
  expect((await mesh.request('agent-1/residual', 4)).message).toBe(5);
  const samples: unknown[] = [];
  const subscription = mesh.subscribe('agent-1/sample').subscribe(({ message }) => samples.push(message));
  const { items } = gather(mesh.events('oak/1/rgb', { everyN: 2 }));
  await until(() => subscribersOf(service('agent-1')).length + subscribersOf(service('oak/1')).length === 2);
  await service('agent-1').publish('/sample', 1);
  for (let frame = 0; frame < 3; frame++) await service('oak/1').publish('/rgb', frame);
  await until(() => samples.length === 1 && items.length === 2);
  expect(items.map(({ service, path, sequence }) => `${service} ${path} ${sequence}`)).toEqual([
    'oak/1 /rgb 0',
    'oak/1 /rgb 2',
  ]);
  subscription.unsubscribe();
});

test('an unknown name is an error with a suggestion; an entry without a port, too', () => {
  const mesh = Mesh.from(config, { registry });
  onTestFinished(() => mesh.close());
  expect(() => mesh.events('agnet-1/sample')).toThrow(/did you mean "agent-1"/);
  expect(() => mesh.client('profile')).toThrow(/"profile" has no port/);
  expect(mesh.client('agent-1')).toBe(mesh.client('agent-1'));
});

test('requestAll gives what came within the deadline, and why the rest did not', async () => {
  const started = await running();
  started.service('agent-1').onRequest('/residual', (value: number) => value * 10);
  started.service('agent-2').onRequest('/residual', () => new Promise(() => undefined));
  const { replies, errors } = await started.mesh.requestAll('/residual', 7, { timeoutMs: 200 });
  expect([...replies].map(([name, { message }]) => [name, message])).toEqual([['agent-1', 70]]);
  expect(Object.fromEntries([...errors].map(([name, { code }]) => [name, code]))).toEqual({
    'agent-2': 'deadline-exceeded',
    'agent-3': 'unimplemented',
  });
  const named = await started.mesh.requestAll('/residual', 1, { services: ['agent-1', 'nobody'], timeoutMs: 200 });
  expect([...named.replies.keys()]).toEqual(['agent-1']);
  expect(named.errors.get('nobody')).toMatchObject({ code: 'not-found' });
  await expect(started.mesh.requestAll('/nothing', 1)).rejects.toMatchObject({
    code: 'not-found',
    message: expect.stringContaining('/nothing'),
  });
});

test('a closed mesh has closed its clients', async () => {
  const started = await running();
  const client = started.mesh.client('agent-1');
  await client.listUris();
  await started.mesh[Symbol.asyncDispose]();
  expect(client.state.status).toBe('closed');
});
