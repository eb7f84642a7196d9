import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { servicesTable } from '../../src/cli/ls.js';
import { readHealth } from '../../src/cli/read-health.js';
import { type SurveyedService, surveyService } from '../../src/cli/survey.js';
import type { ServiceConfig } from '../../src/config/types.js';
import { entry, published, registry, struct } from '../mesh/running.js';
import { event } from '../operators/events.js';
import { freePorts } from '../process.js';
import { clientAt, closeAtEnd, serve } from './closing.js';
import { mailPort, peerPort, structUri, wireEvent } from './impostors.js';

const sample = published('/sample', { type: struct });

function survey(port: number, config: Partial<ServiceConfig> = {}, timeoutMs = 3000): Promise<SurveyedService> {
  const service = entry({ ...config, port });
  return surveyService(service, clientAt(port, config), { timeoutMs, signal: new AbortController().signal });
}

describe.concurrent('a survey of a service', () => {
  it('tells its paths, types, rates, subscribers and version', async () => {
    const requests = [{ path: '/start', request: 'google.protobuf.Empty', reply: struct.type }];
    const service = await serve({ published: [sample], requests });
    const listening = clientAt(service.port).subscribe('/sample').subscribe();
    closeAtEnd(() => listening.unsubscribe());
    const publishing = setInterval(() => void service.publish('/sample', { sample: 1 }).catch(() => undefined), 10);
    closeAtEnd(() => clearInterval(publishing));
    const found = await survey(service.port, { requests });
    expect(found).toMatchObject({ name: 'agent-1', state: 'live', peer: 'furrow', hosts: ['agent-1'] });
    expect(found.version).toMatch(/^\d+\.\d+\.\d+/);
    const [first, second, third] = found.paths;
    expect(first).toMatchObject({
      kind: 'published',
      path: '/sample',
      type: struct.type,
      health: { clients: 1, dropped: 0 },
    });
    expect(first?.health?.rateHz).toBeGreaterThan(0);
    // Our own subscription does not count.
    expect(second).toMatchObject({ path: '/health', health: { clients: 0 } });
    expect(third).toEqual({ kind: 'request', path: '/start', type: 'google.protobuf.Empty', reply: struct.type });
  });

  it('tells an absent service, and what it declares', async () => {
    const [port = 0] = await freePorts(1);
    expect(await survey(port, { published: [sample] })).toMatchObject({
      state: 'away',
      reason: 'nothing listens there',
      paths: [{ path: '/sample', type: struct.type }],
    });
  });

  it('tells another service on the port, and another program', async () => {
    const storage = await serve({ name: 'storage', published: [sample] });
    expect(await survey(storage.port)).toMatchObject({
      state: 'other',
      reason: 'the port answers, but it is storage',
      hosts: ['storage'],
    });
    expect(await survey(await mailPort())).toMatchObject({
      state: 'other',
      reason: 'something is there that speaks neither HTTP/2 nor TLS',
    });
  });

  it('knows a farm-ng service by its headers', async () => {
    const health = { '/state/send_count': 12, '/state/send_clients': 3, '/state/rate': 9.5, '/state/dropped': 1 };
    const port = await peerPort({
      uris: [structUri('/state', 'canbus'), structUri('/rgb', 'oak/0')],
      subscribe: (_path, stream) => void stream.write(wireEvent('/health', health, { service: 'canbus' })),
    });
    const found = await survey(port, { name: 'canbus' });
    expect(found).toMatchObject({ state: 'live', peer: 'farm-ng', hosts: ['canbus', 'oak/0'] });
    expect(found.version).toBeUndefined();
    expect(found.paths).toEqual([
      {
        kind: 'published',
        path: '/state',
        type: struct.type,
        health: { sendCount: 12, clients: 3, rateHz: 9.5, dropped: 1 },
      },
    ]);
  });

  it('does without the health of a service that tells none', async () => {
    const port = await peerPort({ uris: [structUri('/sample')] });
    const found = await survey(port, {}, 2000);
    expect(found).toMatchObject({ state: 'live', paths: [{ path: '/sample', type: struct.type }] });
    expect(found.paths[0]?.health).toBeUndefined();
  });

  it('leaves entries alone that are no servers', async () => {
    const { port: _, ...profile } = entry({ name: 'profile' });
    const found = await surveyService(profile, undefined, { timeoutMs: 100, signal: new AbortController().signal });
    expect(found.state).toBe('no-server');
  });
});

describe('the table of services', () => {
  const live: SurveyedService = {
    name: 'agent-1',
    address: 'localhost:5001',
    state: 'live',
    peer: 'furrow',
    version: '0.1.0',
    hosts: ['agent-1'],
    paths: [
      {
        kind: 'published',
        path: '/sample',
        type: struct.type,
        health: { sendCount: 100, clients: 2, rateHz: 50, dropped: 0 },
      },
      { kind: 'request', path: '/update_residual', type: 'google.protobuf.Int32Value', reply: 'google.protobuf.Empty' },
    ],
  };
  const away: SurveyedService = {
    name: 'storage',
    address: 'localhost:7010',
    state: 'away',
    reason: 'nothing listens there',
    hosts: [],
    paths: [],
  };

  it('fits 80 columns', () => {
    const lines = stripVTControlCharacters(servicesTable([live, away], 80)).split('\n');
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(lines.map((line) => line.replace(/ {2,}/g, '  '))).toEqual([
      'SERVICE  STATE  PATH  TYPE  RATE  SUBS',
      'agent-1  live  /sample  Struct  50.0 Hz  2',
      'localhost:5001  0.1.0  /update_residual  Int32Value → Empty  request',
      'storage  away  nothing listens there',
      'localhost:7010',
    ]);
  });

  it('has full names of types where there is room', () => {
    expect(servicesTable([live], 120)).toContain('google.protobuf.Int32Value → google.protobuf.Empty');
  });
});

describe('reading health', () => {
  const read = (message: object) => readHealth(event({ payload: registry.encode(struct.type, message) }));

  it('keeps paths with slashes apart from their numbers', () => {
    const { paths, subscribers } = read({
      '/oak/0/rgb/send_count': 5,
      '/oak/0/rgb/send_clients': 1,
      '/oak/0/rgb/rate': 10,
      '/oak/0/rgb/dropped': 2,
      queued_bytes: 7,
      subscribers: [
        { peer: 'a', path: '/x', overflow: 'block', depth: 1, delivered: 2, queued: 1, dropped: 3 },
        'noise',
      ],
    });
    expect([...paths]).toEqual([['/oak/0/rgb', { sendCount: 5, clients: 1, rateHz: 10, dropped: 2 }]]);
    expect(subscribers).toHaveLength(1);
  });

  it('takes what is not health for nothing', () => {
    expect(read({ '/rate': 'fast', other: [1] }).paths.size).toBe(0);
    expect(readHealth(event({ type: 'unknown.Type' })).paths.size).toBe(0);
  });
});
