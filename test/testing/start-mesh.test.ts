import { arg, findStamp, type MeshConfig, type ServiceProgram } from 'furrow';
import { startMesh, TestClock } from 'furrow/testing';
import { expect, test } from 'vitest';
import { entry, published, registry, take, until } from '../mesh/running.js';

const config: MeshConfig = {
  file: 'service_config.json',
  services: [
    entry({ name: 'agent-1', port: 5001, args: ['first=3'], published: [published('/count', { latch: true })] }),
    entry({ name: 'agent-2', port: 5001, args: ['first=4'], published: [published('/count', { latch: true })] }),
    entry({ name: 'bare', port: 5002, published: [published('/state')] }),
  ],
};

const agent: ServiceProgram<{ first: ReturnType<typeof arg.integer> }> = {
  args: { first: arg.integer({}) },
  async run({ service, args, print, signal }) {
    await service.start();
    await service.publish('/count', args.first);
    print(`published ${args.first}`);
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    print('stopped');
  },
};

test('runs programs by name on free ports, bare services beside them, and stops them all', async () => {
  const mesh = await startMesh(config, { agent }, { registry, clock: new TestClock({ monotonic: 3 }) });
  const [one, two, bare] = mesh.config.services;
  expect(one!.port).toBe(two!.port);
  expect(new Set([one!.port, bare!.port, 5001, 5002]).size).toBe(4);
  for (const [name, value] of [
    ['agent-1', 3],
    ['agent-2', 4],
  ] as const) {
    const [event] = await take(mesh.mesh.events(`${name}/count`), 1);
    expect(event!.message).toBe(value);
    expect(findStamp(event!.timestamps, 'service/send', '/monotonic')!.stamp).toBe(3);
  }
  await mesh.service('bare').publish('/state', 1);
  expect(() => mesh.service('agnet-1')).toThrow(/did you mean "agent-1"/);
  await until(() => mesh.printed.length === 2);
  await mesh.close();
  expect(mesh.printed.slice(2).sort()).toEqual(['agent-1: stopped', 'agent-2: stopped']);
  await mesh.close();
});

test('what a program throws before it has started is thrown, and after that by close', async () => {
  const failing = (starts: boolean): ServiceProgram<Record<string, never>> => ({
    args: {},
    async run({ service }) {
      if (starts) await service.start();
      throw new Error('no field today');
    },
  });
  const bare = { ...config, services: [config.services[2]!] };
  await expect(startMesh(bare, { bare: failing(false) }, { registry })).rejects.toThrow('no field today');
  const mesh = await startMesh(bare, { bare: failing(true) }, { registry });
  await expect(mesh.close()).rejects.toThrow('no field today');
});

test('args that do not fit are told as in the program itself', async () => {
  const wrong = { ...config, services: [entry({ name: 'agent-1', port: 1, args: ['first=x'] })] };
  await expect(startMesh(wrong, { agent }, { registry })).rejects.toThrow(/first=x is not a/);
});

test('the clock moves by hand only', () => {
  const clock = new TestClock({ host: 'h', monotonic: 1, system: 10 });
  clock.advance(2);
  clock.setSystem(5);
  expect([clock.monotonic(), clock.system()]).toEqual([3, 5]);
  expect(clock.monotonicName).toBe('h/monotonic');
});
