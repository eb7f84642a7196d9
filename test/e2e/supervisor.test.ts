import type * as grpc from '@grpc/grpc-js';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { EventService } from '../../src/index.js';
import { plainServer } from '../interop/plain-grpc.js';
import { until } from '../process.js';
import { ProcessMesh, patient } from './process-mesh.js';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

/*
 * The real supervisor and agent, with a storage or an agent in this process that does what those of services/ do
 * only by chance.
 */
const services = ['agent-1', 'supervisor-1', 'storage'];
const inTest: { close(): void }[] = [];
afterEach(() => {
  for (const service of inTest.splice(0)) service.close();
});

/** A storage that holds no more than it is told to. */
async function storageOf(mesh: ProcessMesh, remaining: number) {
  const service = new EventService(mesh.config.services.find(({ name }) => name === 'storage')!);
  inTest.push(service);
  const set = (value: number) => {
    remaining = value;
    return service.publish('/residual', value);
  };
  service.onRequest('/update_storage', () => remaining);
  await service.start();
  await set(remaining);
  return { set, close: () => service.close() };
}

const paused = /^INFO:agent-1:paused: nothing remains/;

describe('a paused agent', () => {
  it('goes on when room returns, though no sample makes its supervisor ask', async () => {
    await using mesh = await ProcessMesh.make({ services });
    const storage = await storageOf(mesh, 0);
    mesh.start('supervisor-1');
    const agent = mesh.start('agent-1');
    await agent.line(paused, patient);
    const from = agent.lines.length;
    await storage.set(7);
    await agent.line(/^INFO:agent-1:Remainder: 7$/, { ...patient, from });
    await agent.line(/^Published sample/, { ...patient, from });
  });

  it('goes on when its supervisor or the storage was killed and returns', async () => {
    await using mesh = await ProcessMesh.make({ services });
    const storage = await storageOf(mesh, 0);
    const supervisor = mesh.start('supervisor-1');
    const agent = mesh.start('agent-1');
    await agent.line(paused, patient);

    supervisor.signal('SIGKILL');
    await supervisor.exit;
    await storage.set(3);
    let from = agent.lines.length;
    mesh.start('supervisor-1');
    await agent.line(/^INFO:agent-1:Remainder: 3$/, { ...patient, from });
    await agent.line(/^Published sample/, { ...patient, from });

    from = agent.lines.length;
    await storage.set(0);
    await agent.line(paused, { ...patient, from });
    storage.close();
    from = agent.lines.length;
    mesh.start('storage');
    await agent.line(/^INFO:agent-1:Remainder: [1-9]\d*$/, { ...patient, from });
    await agent.line(/^Published sample/, { ...patient, from });
  });

  it('that is started again hears that nothing remains', async () => {
    await using mesh = await ProcessMesh.make({ services });
    await storageOf(mesh, 0);
    mesh.start('supervisor-1');
    const agent = mesh.start('agent-1');
    await agent.line(paused, patient);
    agent.signal('SIGKILL');
    await agent.exit;
    await mesh.start('agent-1').line(paused, patient);
  });
});

describe('the supervisor', () => {
  it('lets no late reply of 0 overtake a newer residual', async () => {
    await using mesh = await ProcessMesh.make({ services });
    const int32 = (path: string, value: number, stamp: number) => ({
      event: {
        uri: {
          scheme: 'protobuf',
          path,
          query: 'type=google.protobuf.Int32Value&pb=google/protobuf/wrappers.proto&service_name=storage',
        },
        timestamps: [{ stamp, clockName: 'host/monotonic', semantics: 'service/send' }],
        payloadLength: value === 0 ? 0 : 2,
      },
      payload: value === 0 ? Buffer.alloc(0) : Buffer.of(8, value),
    });
    let told: (() => void) | undefined;
    const subscribed = new Promise<void>((resolve) => {
      told = resolve;
    });
    const { server } = await plainServer(
      {
        subscribe: (call: grpc.ServerWritableStream<unknown, object>) => {
          call.write(int32('/residual', 5, 1000));
          told?.();
        },
        requestReply: async (_: unknown, done: grpc.sendUnaryData<object>) => {
          await subscribed;
          done(null, int32('/reply/request/update_storage', 0, 999.5));
        },
      },
      mesh.port('storage'),
    );
    inTest.push({ close: () => server.forceShutdown() });
    const supervisor = mesh.start('supervisor-1');
    const agent = mesh.start('agent-1');
    await agent.line(/^INFO:agent-1:Remainder: 5$/, patient);
    for (let reply = 0; reply < 10; reply += 1) {
      await supervisor.line(/^INFO:supervisor-1:Residual: value: 0$/, { ...patient, from: supervisor.lines.length });
    }
    expect(new Set(agent.lines.filter((line) => line.includes('Remainder')))).toEqual(
      new Set(['INFO:agent-1:Remainder: 5']),
    );
  });

  it('has one request in flight per agent, and tells it the newest value next', async () => {
    await using mesh = await ProcessMesh.make({ services });
    const storage = await storageOf(mesh, 500);
    const agent = new EventService(mesh.config.services.find(({ name }) => name === 'agent-1')!);
    inTest.push(agent);
    const heard: number[] = [];
    let answer: () => void = () => undefined;
    let inFlight = 0;
    let mostInFlight = 0;
    agent.onRequest('/update_residual', async (value: number) => {
      inFlight += 1;
      mostInFlight = Math.max(mostInFlight, inFlight);
      heard.push(value);
      await new Promise<void>((resolve) => {
        answer = resolve;
      });
      inFlight -= 1;
    });
    await agent.start();
    const supervisor = mesh.start('supervisor-1');
    await until('the first value', () => heard.length === 1, patient);
    for (let residual = 400; residual > 300; residual -= 1) {
      const from = supervisor.lines.length;
      await storage.set(residual);
      // Its reply to this sample shows that the supervisor has the value.
      await agent.publish('/sample', { sample: 1, task_id: 0 });
      await supervisor.line(new RegExp(`Residual: value: ${residual}$`), { ...patient, from });
    }
    answer();
    await until('the next value', () => heard.length === 2, patient);
    answer();
    expect(heard).toEqual([500, 301]);
    expect(mostInFlight).toBe(1);
  });

  it('loses samples of an agent that is too fast, says so once, and goes on', async () => {
    await using mesh = await ProcessMesh.make({ services, args: { 'supervisor-1': ['confidence=0.9'] } });
    await storageOf(mesh, 500);
    const agent = new EventService(mesh.config.services.find(({ name }) => name === 'agent-1')!);
    inTest.push(agent);
    await agent.start();
    const supervisor = mesh.start('supervisor-1');
    const publish = (sample: number) => agent.publish('/sample', { sample, task_id: 0 });
    await until('the subscription', async () => (await publish(0)).subscribers === 1, patient);
    supervisor.signal('SIGSTOP');
    await until('events to be lost', async () => {
      for (let sample = 0; sample < 2000; sample += 1) if ((await publish(0)).dropped > 0) return true;
      return false;
    });
    for (let sample = 0; sample < 1000; sample += 1) await publish(0);
    await publish(1);
    supervisor.signal('SIGCONT');
    await supervisor.line(/^INFO:supervisor-1:Residual: value: 500$/, patient);
    const said = supervisor.lines.filter((line) => line.startsWith('WARNING:supervisor-1:missed'));
    expect(said).toHaveLength(1);
    expect(Number(said[0]?.match(/missed (\d+) samples of agent-1/)?.[1])).toBeGreaterThan(0);
  });

  it('passes over what is no sample', async () => {
    await using mesh = await ProcessMesh.make({ services });
    const storage = await storageOf(mesh, 500);
    const config = mesh.config.services.find(({ name }) => name === 'agent-1')!;
    const agent = new EventService({ ...config, published: [] });
    inTest.push(agent);
    await agent.start();
    const supervisor = mesh.start('supervisor-1');
    const uri = {
      scheme: 'protobuf',
      authority: 'h',
      path: '/sample',
      query: 'type=google.protobuf.Struct&pb=google/protobuf/struct.proto&service_name=agent-1',
    };
    let sequence = 0;
    const publish = (bytes: Buffer) =>
      agent.publishEvent({ uri, timestamps: [], payloadLength: bytes.length, sequence: sequence++ }, bytes);
    await until('the subscription', async () => (await publish(Buffer.alloc(0))).subscribers === 1, patient);
    await publish(Buffer.from('no struct'));
    await storage.set(499);
    const sample = Buffer.from('0a130a0673616d706c65120911000000000000f03f', 'hex');
    await publish(sample);
    await supervisor.line(/^INFO:supervisor-1:Residual: value: 499$/, patient);
    expect(supervisor.lines.filter((line) => line.includes('Residual'))).toHaveLength(1);
    expect(supervisor.lines.filter((line) => line.startsWith('ERROR'))).toHaveLength(1);
  });
});
