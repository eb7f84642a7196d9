import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { MeshError } from '../../src/base/errors.js';
import { diagnose } from '../../src/cli/doctor/diagnose.js';
import { edgesOf } from '../../src/cli/doctor/edges.js';
import type { Check, Diagnosis, Edge } from '../../src/cli/doctor/finding.js';
import type { ServiceConfig } from '../../src/config/types.js';
import type { EventService } from '../../src/mesh/event-service.js';
import { Channel } from '../../src/wire/channel.js';
import type { TlsFiles } from '../../src/wire/credentials.js';
import { messageOf } from '../../src/wire/frames.js';
import { parse } from '../config/parse.js';
import { entry, published, registry, struct, subscribersOf, until } from '../mesh/running.js';
import { freePorts } from '../process.js';
import { ca, localhostTls, otherCa } from '../tls/files.js';
import { framed } from '../wire/framed.js';
import { clientAt, closeAtEnd, serve } from './closing.js';
import {
  grpcPort,
  mailPort,
  type PeerOptions,
  peerPort,
  silentPort,
  structUri,
  web2Port,
  webPort,
  wireEvent,
} from './impostors.js';

interface Case {
  /** The service's entry, as the configuration has it. */
  readonly config?: Partial<ServiceConfig>;
  readonly edge?: Partial<Edge>;
  readonly others?: readonly ServiceConfig[];
  readonly tls?: TlsFiles;
  readonly timeoutMs?: number;
}

async function examine(
  port: number,
  { config = {}, edge = {}, others = [], tls, timeoutMs = 3000 }: Case = {},
): Promise<Diagnosis> {
  const service = entry({ ...config, port });
  return diagnose(
    { kind: 'events', service: service.name, path: '/sample', everyN: 0, ...edge },
    {
      config: { file: 'test.json', services: [service, ...others] },
      service,
      client: clientAt(port, config, tls === undefined ? {} : { tls }),
      registry,
      clock: systemClock(),
      timeoutMs,
      signal: new AbortController().signal,
      ...(tls === undefined ? {} : { tls }),
    },
  );
}

/** The check that is not well; there must be one. */
function cause({ checks }: Diagnosis): Check {
  const [found, ...others] = checks.filter(({ status }) => status === 'wrong' || status === 'away');
  expect(others).toEqual([]);
  expect(found, JSON.stringify(checks)).toBeDefined();
  return found as Check;
}

function checkOf({ checks }: Diagnosis, subject: Check['subject']): Check | undefined {
  return checks.find((check) => check.subject === subject);
}

const sample = published('/sample', { type: struct });

/** Publishes until the test ends. */
function publishing(service: EventService, message: object = { sample: 0.5 }): void {
  const timer = setInterval(() => void service.publish('/sample', message).catch(() => undefined), 5);
  closeAtEnd(() => clearInterval(timer));
}

describe.concurrent('doctor', () => {
  it('finds nothing wrong where data flows', async () => {
    const service = await serve({ published: [sample] });
    publishing(service);
    const diagnosis = await examine(service.port, { config: { published: [sample] } });
    expect(diagnosis.status).toBe('ok');
    expect(diagnosis.checks.map(({ subject }) => subject)).toEqual([
      'name',
      'port',
      'tls',
      'protocol',
      'service',
      'path',
      'type',
      'data',
      'version',
    ]);
    expect(checkOf(diagnosis, 'data')?.found).toMatch(/^\d+ events? in .*, newest #\d+/);
  });

  it('names a host without an address', async () => {
    const { status, ...diagnosis } = await examine(50_010, { config: { host: 'no-such-host.invalid' } });
    expect(status).toBe('wrong');
    expect(cause({ status, ...diagnosis })).toMatchObject({
      subject: 'name',
      found: expect.stringContaining('no-such-host.invalid'),
    });
  });

  it('tells an away service from a broken one', async () => {
    const [port = 0] = await freePorts(1);
    const diagnosis = await examine(port);
    expect(diagnosis.status).toBe('away');
    expect(cause(diagnosis)).toMatchObject({
      subject: 'port',
      found: expect.stringContaining('nothing listens there'),
      advice: expect.stringContaining('furrow run agent-1'),
    });
  });

  it.each([
    ['a web server', webPort, 'protocol', /web server is there \(HTTP\/1\)/],
    ['a web server of HTTP/2', web2Port, 'protocol', /web server is there \(HTTP\/2\)/],
    ['a mail server', mailPort, 'protocol', /neither HTTP\/2 nor TLS/],
    ['a program that says nothing', silentPort, 'protocol', /takes connections and says nothing/],
    ['a gRPC server of another kind', grpcPort, 'protocol', /a gRPC server is there, but no event service/],
  ] as const)('recognises %s on the port', async (_what, open, subject, found) => {
    const diagnosis = await examine(await open(), { timeoutMs: 1500 });
    expect(cause(diagnosis)).toMatchObject({ subject, found: expect.stringMatching(found) });
  });

  describe('and TLS', () => {
    it('says that the service speaks TLS, and we do not', async () => {
      const service = await serve({ published: [sample] }, { tls: localhostTls });
      const diagnosis = await examine(service.port);
      expect(cause(diagnosis)).toMatchObject({
        subject: 'tls',
        found: expect.stringMatching(/speaks TLS, and we speak plain text/),
      });
    });

    it('says that we speak TLS, and the service does not', async () => {
      const service = await serve({ published: [sample] });
      const diagnosis = await examine(service.port, { tls: { ca } });
      expect(cause(diagnosis)).toMatchObject({
        subject: 'tls',
        found: expect.stringMatching(/speaks plain text, and we were told/),
      });
    });

    it('says that the certificate is refused, and why', async () => {
      const service = await serve({ published: [sample] }, { tls: localhostTls });
      const diagnosis = await examine(service.port, { tls: { ca: otherCa } });
      expect(cause(diagnosis)).toMatchObject({
        subject: 'tls',
        found: expect.stringMatching(/certificate of .* is refused: unable to verify/),
      });
    });

    it('says that the service asks for a certificate of ours', async () => {
      const service = await serve({ published: [sample] }, { tls: { ...localhostTls, ca } });
      const diagnosis = await examine(service.port, { tls: { ca } });
      expect(cause(diagnosis)).toMatchObject({
        subject: 'tls',
        advice: expect.stringMatching(/--tls-cert and --tls-key/),
      });
    });

    it('finds nothing wrong where both ends fit', async () => {
      const service = await serve({ published: [sample] }, { tls: { ...localhostTls, ca } });
      publishing(service);
      const diagnosis = await examine(service.port, { tls: { ca, ...localhostTls } });
      expect(diagnosis.status).toBe('ok');
      expect(checkOf(diagnosis, 'tls')?.found).toMatch(/the certificate is good/);
    });
  });

  it('says which service has the port instead', async () => {
    const service = await serve({ name: 'storage', published: [sample] });
    expect(cause(await examine(service.port))).toMatchObject({
      subject: 'service',
      found: 'the port hosts "storage", not "agent-1"',
    });
  });

  it('suggests the path that was meant', async () => {
    const service = await serve({ published: [sample] });
    expect(cause(await examine(service.port, { edge: { path: '/smaple' } }))).toMatchObject({
      subject: 'path',
      found: expect.stringMatching(/\/smaple is not published; published are "\/sample"/),
      advice: 'did you mean "/sample"?',
    });
  });

  it('tells a request path from a published one', async () => {
    const requests = [{ path: '/start', request: struct.type, reply: struct.type }];
    const service = await serve({ requests, published: [sample] });
    expect(cause(await examine(service.port, { config: { requests }, edge: { path: '/start' } }))).toMatchObject({
      subject: 'path',
      advice: 'furrow req agent-1/start',
    });
  });

  it('says where types differ', async () => {
    const service = await serve({ published: [sample] });
    publishing(service);
    const declared = await examine(service.port, { config: { published: [published('/sample')] } });
    expect(cause(declared)).toMatchObject({
      subject: 'type',
      found: 'carries google.protobuf.Struct, but the configuration declares google.protobuf.Int32Value',
    });
    const expected = await examine(service.port, { edge: { type: 'google.protobuf.Empty', subscriber: 'logger' } });
    expect(cause(expected)).toMatchObject({
      subject: 'type',
      found: 'carries google.protobuf.Struct, but logger expects google.protobuf.Empty',
    });
  });

  it('says that a type is not known here', async () => {
    const uri = { ...structUri('/sample'), query: 'type=field.Lenght&pb=field.proto&service_name=agent-1' };
    const port = await peerPort({ uris: [uri], subscribe: flowing({ sample: 1 }) });
    const diagnosis = await examine(port);
    expect(diagnosis.status).toBe('ok');
    expect(checkOf(diagnosis, 'type')).toMatchObject({
      status: 'note',
      found: expect.stringMatching(/field\.Lenght, which is not known here/),
    });
  });

  it('says that every_n lets too little through', async () => {
    const service = await serve({ published: [sample] });
    // Sequence 0 is a multiple of everything: it must be over before somebody listens.
    await service.publish('/sample', { sample: 1 });
    publishing(service);
    expect(cause(await examine(service.port, { edge: { everyN: 1_000_000 } }))).toMatchObject({
      subject: 'every_n',
      found: expect.stringMatching(/every_n=1000000 lets only every 1000000th event through/),
      advice: 'lower every_n in the subscription',
    });
  });

  it('says that only a latched value is there', async () => {
    const service = await serve({ published: [sample] });
    await service.publish('/sample', { sample: 1 }, { latch: true });
    const diagnosis = await examine(service.port);
    expect(diagnosis.status).toBe('ok');
    expect(checkOf(diagnosis, 'latched')).toMatchObject({
      status: 'note',
      found: expect.stringMatching(/^only the latched event #0, sent .* ago; nothing live/),
    });
    const latch = published('/sample', { type: struct, latch: true });
    const declared = await examine(service.port, { config: { published: [latch] } });
    expect(checkOf(declared, 'latched')?.status).toBe('ok');
  });

  it('says that the publisher has fallen silent', async () => {
    const service = await serve({ published: [sample] });
    for (let count = 0; count < 3; count += 1) await service.publish('/sample', { sample: 1 });
    expect(cause(await examine(service.port))).toMatchObject({
      subject: 'data',
      found: expect.stringMatching(/\/sample is silent: 3 events were published before, none in/),
    });
  });

  it('says that nothing was ever published', async () => {
    const service = await serve({ published: [sample] });
    expect(cause(await examine(service.port))).toMatchObject({
      subject: 'data',
      found: '/sample was never published since the service started',
    });
  });

  it('says that a service tells nothing at all', async () => {
    const port = await peerPort({ uris: [structUri('/sample')] });
    expect(cause(await examine(port, { timeoutMs: 1500 }))).toMatchObject({
      subject: 'data',
      found: expect.stringMatching(/no event in .*, and no \/health that would tell why/),
    });
  });

  it('says that events are sent and do not come', async () => {
    let sent = 0;
    const subscribe: PeerOptions['subscribe'] = (path, stream) => {
      if (path !== '/health') return;
      const timer = setInterval(() => {
        sent += 10;
        stream.write(
          wireEvent('/health', { '/sample/send_count': sent, '/sample/rate': 100 }, { sequence: sent / 10 }),
        );
      }, 20);
      closeAtEnd(() => clearInterval(timer));
    };
    const port = await peerPort({ uris: [structUri('/sample')], subscribe });
    expect(cause(await examine(port, { timeoutMs: 2000 }))).toMatchObject({
      subject: 'data',
      found: expect.stringMatching(/^\d+ events were published in .*, and none reached us$/),
    });
  });

  it('says that every subscriber loses events', async () => {
    const service = await serve({ published: [sample] });
    const stalled = new Channel('127.0.0.1', service.port, { maxMessageBytes: 1e6 });
    closeAtEnd(() => stalled.close());
    const uri = { path: '/sample', query: 'depth=1&service_name=agent-1' };
    const request = registry.encode('farm_ng.core.proto.SubscribeRequest', { uri });
    // Nobody reads what it brings.
    await stalled.stream('subscribe', request, {}).headers;
    publishing(service, { text: 'x'.repeat(100_000) });
    await until(() => subscribersOf(service).some(({ dropped }) => dropped > 0));
    expect(cause(await examine(service.port))).toMatchObject({
      subject: 'drops',
      found: expect.stringMatching(/^1 of 1 subscribers lost events; the worst, .* \(depth=1, overflow=drop-oldest\)$/),
      advice: expect.stringMatching(/reads too slowly/),
    });
  });

  it('says that the subscription is refused, by versions that do not fit', async () => {
    const subscribe: PeerOptions['subscribe'] = (_path, stream) =>
      stream.end(new MeshError('unimplemented', 'subscribe is no method of this service'));
    const port = await peerPort({ uris: [structUri('/sample')], subscribe });
    expect(cause(await examine(port))).toMatchObject({
      subject: 'data',
      found: expect.stringMatching(/refused: .*subscribe is no method/),
      advice: expect.stringMatching(/versions that do not fit/),
    });
  });

  it('shows both versions', async () => {
    const headers = { 'furrow-version': '9.1.0', 'furrow-epoch': 'a' };
    const port = await peerPort({ uris: [structUri('/sample')], headers, subscribe: flowing({ sample: 1 }) });
    expect(checkOf(await examine(port), 'version')).toMatchObject({
      status: 'note',
      found: expect.stringMatching(/^it is furrow 9\.1\.0, we are \d+\.\d+\.\d+$/),
    });
    const plain = await peerPort({ uris: [structUri('/sample')], subscribe: flowing({ sample: 1 }) });
    expect(checkOf(await examine(plain), 'version')?.found).toMatch(/^a farm-ng service/);
  });

  it('says that a payload cannot be read', async () => {
    const subscribe: PeerOptions['subscribe'] = (path, stream) => {
      const broken = wireEvent(path, { sample: 1 });
      // The payload ends the message; its announced length stays.
      const cut = Buffer.from(messageOf(broken));
      cut[cut.length - 1] = 0xff;
      stream.write(path === '/health' ? broken : framed(Buffer.concat([cut, Buffer.from([0x12, 0x00])])));
    };
    const port = await peerPort({ uris: [structUri('/sample')], subscribe });
    expect(cause(await examine(port))).toMatchObject({
      subject: 'type',
      found: expect.stringMatching(/says its payload has \d+ bytes; 0 came/),
    });
  });

  it('looks for the one who should subscribe', async () => {
    const service = await serve({ published: [sample] });
    publishing(service);
    const [free = 0] = await freePorts(1);
    const edge = { subscriber: 'supervisor-1' };
    const gone = await examine(service.port, { edge, others: [entry({ name: 'supervisor-1', port: free })] });
    expect(gone.status).toBe('away');
    expect(cause(gone)).toMatchObject({ subject: 'subscriber', found: expect.stringMatching(/^supervisor-1 is away/) });

    const supervisor = await serve({ name: 'supervisor-1' });
    const others = [entry({ name: 'supervisor-1', port: supervisor.port })];
    const idle = await examine(service.port, { edge, others });
    expect(cause(idle)).toMatchObject({
      subject: 'subscriber',
      found: expect.stringMatching(/^supervisor-1 runs, and is not subscribed/),
    });

    const listening = clientAt(service.port).subscribe('/sample').subscribe();
    closeAtEnd(() => listening.unsubscribe());
    await until(() => subscribersOf(service).length === 1);
    expect((await examine(service.port, { edge, others })).status).toBe('ok');
  });

  it('looks at request paths without asking', async () => {
    let asked = 0;
    const requests = [{ path: '/start', request: struct.type, reply: struct.type }];
    const service = await serve({ requests });
    service.onRequest('/start', () => {
      asked += 1;
    });
    const edge = { kind: 'request', path: '/start', subscriber: 'app' } as const;
    expect((await examine(service.port, { config: { requests }, edge })).status).toBe('ok');
    const wrong = await examine(service.port, { config: { requests }, edge: { ...edge, path: '/strat' } });
    expect(cause(wrong)).toMatchObject({ subject: 'path', advice: 'did you mean "/start"?' });
    expect(asked).toBe(0);
  });
});

/** Sends an event of the path asked for at once, and health that fits. */
function flowing(message: object): PeerOptions['subscribe'] {
  return (path, stream) => {
    const health = { '/sample/send_count': 1, '/sample/rate': 1 };
    stream.write(path === '/health' ? wireEvent('/health', health) : wireEvent(path, message));
  };
}

describe('the edges of a configuration', () => {
  const uris = [
    { scheme: 'protobuf', path: '/sample', query: 'type=google.protobuf.Struct&pb=google/protobuf/struct.proto' },
    { scheme: 'request', path: '/start', query: 'request=google.protobuf.Empty&reply=google.protobuf.Empty' },
  ];

  it('are its subscriptions, with their quality, and the paths in its args', () => {
    const config = parse([
      { name: 'agent-1', port: 5001, uris },
      {
        name: 'supervisor-1',
        port: 7001,
        args: ['residual=agent-1/sample', 'begin=agent-1/start'],
        subscriptions: [{ uri: { path: '/sample', query: 'depth=7&service_name=agent-1' }, every_n: 3 }],
      },
    ]);
    expect(edgesOf(config)).toEqual([
      { kind: 'events', service: 'agent-1', path: '/sample', subscriber: 'supervisor-1', everyN: 3, depth: 7 },
      { kind: 'events', service: 'agent-1', path: '/sample', subscriber: 'supervisor-1', everyN: 0 },
      { kind: 'request', service: 'agent-1', path: '/start', subscriber: 'supervisor-1', everyN: 0 },
    ]);
  });

  it('are the health of every service where it states none', () => {
    expect(edgesOf(parse([{ name: 'agent-1', port: 5001, uris }, { name: 'profile' }]))).toEqual([
      { kind: 'events', service: 'agent-1', path: '/health', everyN: 0 },
    ]);
  });
});
