import type * as grpc from '@grpc/grpc-js';
import { afterEach, expect, it } from 'vitest';
import { type PlainEvent, plainClient, plainServer } from './plain-grpc.js';
import { describeWithPython } from './python-peer.js';

const int32 = 'google.protobuf.Int32Value';

describeWithPython('a plain grpc-js client of the Python peer', (peer) => {
  const clients: grpc.Client[] = [];
  afterEach(() => {
    for (const client of clients.splice(0)) client.close();
  });

  function clientOf(port: number) {
    const client = plainClient(port);
    clients.push(client);
    return client;
  }

  it('subscribes, latched event first', async () => {
    const service = peer.probe('publish', {
      name: 'agent-1',
      path: '/a',
      type: int32,
      json: 5,
      latch: true,
      stdin: true,
    });
    const call = clientOf((await service.next('listening')).port).subscribe({ uri: { path: '/a' } });
    call.on('error', () => {});
    await service.next('subscriber', ({ change }) => change === 1);
    service.send({ path: '/a', type: int32, json: 6 });
    const events: PlainEvent[] = [];
    for await (const event of call) if (events.push(event as PlainEvent) === 2) break;

    expect(events.map(({ payload }) => payload.toString('hex'))).toEqual(['0805', '0806']);
    expect(events.map(({ event }) => event.sequence)).toEqual(['0', '1']);
    expect(events[0]?.event).toMatchObject({
      uri: { path: '/a', query: `type=${int32}&pb=google/protobuf/wrappers.proto&service_name=agent-1` },
      payloadLength: '2',
    });
    // Leaving the loop destroys the stream, and that alone does not tell the server.
    call.cancel();
    await service.next('subscriber', ({ change }) => change === -1);
  });

  it('asks, is answered, and sees failures as UNKNOWN', async () => {
    const echo = peer.probe('echo-service', { name: 'echo', type: int32, reply: 455, fail: ['/bad'] });
    const client = clientOf((await echo.next('listening')).port);
    const ask = (path: string, query: string) =>
      new Promise<PlainEvent>((resolve, reject) => {
        const event = { uri: { scheme: 'protobuf', path, query }, sequence: '9007199254740993' };
        client.requestReply({ event }, (error, reply) => (error || !reply ? reject(error) : resolve(reply)));
      });
    const empty = 'type=google.protobuf.Empty&pb=google/protobuf/empty.proto&service_name=echo';

    const reply = await ask('/update_storage', empty);
    expect(reply.payload.toString('hex')).toBe('08c703');
    expect(reply.event).toMatchObject({ sequence: '9007199254740993', uri: { path: '/reply/request/update_storage' } });
    await expect(ask('/bad', empty)).rejects.toMatchObject({ code: 2 });
    await expect(ask('/x', '')).rejects.toMatchObject({ code: 2 });
  });

  it('lists what is published', async () => {
    const service = peer.probe('publish', { path: '/a', type: int32, json: 1, noHealth: true });
    const client = clientOf((await service.next('listening')).port);
    await service.next('published');
    const uris = await new Promise((resolve, reject) =>
      client.listUris({}, (error, reply) => (error ? reject(error) : resolve(reply?.uris.map(({ path }) => path)))),
    );
    expect(uris).toEqual(['/a']);
  });
});

describeWithPython('the Python peer as client of a plain grpc-js server', (peer) => {
  const servers: grpc.Server[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) server.forceShutdown();
  });

  async function serve(methods: grpc.UntypedServiceImplementation): Promise<string> {
    const { port, server } = await plainServer(methods);
    servers.push(server);
    return `localhost:${port}`;
  }

  it('asks, naming the service, and understands the answer', async () => {
    let asked: PlainEvent | undefined;
    const address = await serve({
      requestReply: (call: grpc.ServerUnaryCall<PlainEvent, object>, done: grpc.sendUnaryData<object>) => {
        asked = call.request;
        const query = `type=${int32}&pb=google/protobuf/wrappers.proto&service_name=storage`;
        const uri = { scheme: 'protobuf', path: '/reply/request/update_storage', query };
        done(null, { event: { uri, sequence: '0' }, payload: Buffer.from('08c703', 'hex') });
      },
    });
    const probe = peer.probe('request', { address, name: 'storage', path: '/update_storage' });
    expect((await probe.next('reply')).message).toBe(455);
    expect(asked?.event.uri).toMatchObject({
      path: '/update_storage',
      query: 'type=google.protobuf.Empty&pb=google/protobuf/empty.proto&service_name=storage',
    });
    expect(asked?.event.timestamps.map(({ semantics }) => semantics)).toEqual(['client/send', 'client/send']);
  });

  it('reports the status and the metadata of a failure', async () => {
    const address = await serve({});
    const probe = peer.probe('request', { address, path: '/x' });
    expect(await probe.next('error')).toMatchObject({ code: 'UNIMPLEMENTED' });
    expect(await probe.exit).toMatchObject({ code: 1 });
  });

  it('lists', async () => {
    const address = await serve({
      listUris: (_: unknown, done: grpc.sendUnaryData<object>) => done(null, { uris: [{ path: '/a', query: 'b=c' }] }),
    });
    const { uris } = await peer.probe('list-uris', { address }).next('uris');
    expect(uris).toEqual([{ scheme: '', authority: '', path: '/a', query: 'b=c' }]);
  });
});

describeWithPython('what ends a Python subscriber', (peer) => {
  const servers: grpc.Server[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) server.forceShutdown();
  });

  /** Subscribes Python to a plain server whose stream does what `stream` says. */
  async function subscriberOf(stream: (call: grpc.ServerWritableStream<unknown, object>) => void, options = {}) {
    const { port, server } = await plainServer({ subscribe: stream });
    servers.push(server);
    return peer.probe('subscribe', { address: `localhost:${port}`, path: '/a', ...options });
  }

  const event = (query: string) => ({
    event: { uri: { scheme: 'protobuf', path: '/a', query } },
    payload: Buffer.of(),
  });

  it.each([
    ['an empty query', '', 'ValueError'],
    ['a second "="', 'type=a.B=c&pb=google/protobuf/empty.proto', 'ValueError'],
    ['a proto file it has no module for', 'type=a.B&pb=a/nowhere.proto', 'ModuleNotFoundError'],
    ['a percent-encoded proto file', 'type=a.B&pb=google%2Fprotobuf%2Fempty.proto', 'ModuleNotFoundError'],
    [
      'a type that is not at the top level of its file',
      `type=a.Inner&pb=google/protobuf/empty.proto`,
      'AttributeError',
    ],
  ])('%s', async (_, query, error) => {
    const subscriber = await subscriberOf((call) => call.write(event(query)));
    expect(await subscriber.exit).toMatchObject({ code: 1 });
    await subscriber.printed(new RegExp(`^${error}:`));
  });

  it('an end of the stream without an error status', async () => {
    const subscriber = await subscriberOf((call) => call.end());
    expect(await subscriber.exit).toMatchObject({ code: 1 });
    await subscriber.printed(/^AttributeError: .*'event'/);
  });

  it('but an error status only makes it call again', async () => {
    let calls = 0;
    const subscriber = await subscriberOf(
      (call) => {
        calls += 1;
        if (calls === 1) {
          call.emit('error', { code: 14, details: 'draining' });
        } else {
          call.write(event('type=google.protobuf.Empty&pb=google/protobuf/empty.proto&service_name=a'));
        }
      },
      { reconnect: true, count: 1 },
    );
    expect(await subscriber.next('end')).toMatchObject({ code: 'UNAVAILABLE', details: 'draining' });
    expect(await subscriber.next('event')).toMatchObject({ message: {} });
    expect(await subscriber.exit).toMatchObject({ code: 0 });
  });
});
