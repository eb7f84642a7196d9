import { type ClientHttp2Session, connect } from 'node:http2';
import { describe, expect, it, vi } from 'vitest';
import { EventClient, type StructObject, TypeRegistry } from '../../src/index.js';
import { ProcessMesh, patient } from './process-mesh.js';

vi.setConfig({ testTimeout: 60_000 });

/** A subscriber that gives its server leave to send nothing. */
function subscribeWithoutReading(port: number, path: string): ClientHttp2Session {
  const request = new TypeRegistry().encode('farm_ng.core.proto.SubscribeRequest', { uri: { path } });
  const session = connect(`http://localhost:${port}`, { settings: { initialWindowSize: 0 } });
  const call = session.request({
    ':method': 'POST',
    ':path': '/farm_ng.core.proto.EventService/subscribe',
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  for (const end of [session, call]) end.on('error', () => undefined);
  call.end(Buffer.from([0, 0, 0, 0, request.length, ...request]));
  return session;
}

describe('SIGTERM', () => {
  it('loses nothing that was published: a subscriber in another process gets every event', async () => {
    await using mesh = await ProcessMesh.make({
      services: ['agent-1'],
      args: { 'agent-1': ['rate=250', 'num_tasks=4'] },
    });
    const agent = mesh.start('agent-1');
    await using client = new EventClient(mesh.config.services[0]!);
    const ended = new AbortController();
    const events = client.events({ path: '/sample', depth: 10_000, overflow: 'block' }, { signal: ended.signal });
    const gaps: unknown[] = [];
    events.gaps$.subscribe((gap) => gaps.push(gap));
    const received: { sequence: number; line: string }[] = [];
    const reading = (async () => {
      for await (const { sequence, message } of events) {
        const { sample, task_id } = message as StructObject;
        received.push({ sequence, line: `Published sample ${sample} from task ${task_id}` });
        if (received.length === 500) agent.signal('SIGTERM');
      }
    })();
    expect(await agent.ended(patient)).toEqual({ code: 0, signal: null });
    ended.abort();
    await reading;

    const published = agent.lines.filter((line) => line.startsWith('Published'));
    expect(received.length).toBeGreaterThanOrEqual(500);
    expect(gaps).toEqual([]);
    // The agent's first samples may be older than the subscription.
    expect(received.map(({ line }) => line)).toEqual(published.slice(-received.length));
    expect(received.map(({ sequence }) => sequence)).toEqual(
      received.map((_, index) => published.length - received.length + index),
    );
  });

  it('waits for a subscriber that does not read, until a second signal forces the end; --json says it in JSON', async () => {
    await using mesh = await ProcessMesh.make({
      services: ['agent-1'],
      args: { 'agent-1': ['rate=250', 'num_tasks=4'] },
    });
    const agent = mesh.start('agent-1', ['--json', '--drain-ms', '60000']);
    await agent.line(/"msg":"Published sample/, patient);
    const stalled = subscribeWithoutReading(mesh.port('agent-1'), '/sample');
    await using client = new EventClient(mesh.config.services[0]!);
    for await (const { message } of client.events('/health')) {
      if (((message as StructObject)['/sample/dropped'] as number) > 0) break;
    }
    const from = agent.lines.length;
    agent.signal('SIGINT');
    await agent.line(/"msg":"draining \(SIGINT\)"/, { ...patient, from });
    expect(agent.running).toBe(true);
    agent.signal('SIGTERM');
    expect(await agent.ended(patient)).toEqual({ code: 143, signal: null });
    stalled.destroy();

    for (const line of agent.lines) {
      expect(JSON.parse(line)).toMatchObject({ level: 30, time: expect.any(Number), name: 'agent-1' });
    }
  });
});
