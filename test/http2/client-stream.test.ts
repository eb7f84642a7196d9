import { once } from 'node:events';
import { createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import type { ClientConnection } from '../../src/http2/client-connection.js';
import type { ClientStream } from '../../src/http2/client-stream.js';
import { errorCodes } from '../../src/http2/frames.js';
import { ask, type Opened, open } from './opened.js';
import { dataFrame, headersFrame, numbers, rawServer } from './raw-peer.js';

const body = Buffer.alloc(100_000, 7);

/** Answers what it has read whole with a word and trailers, and sends itself to `/quick`. */
async function answering(): Promise<Opened> {
  const server = createServer();
  server.on('stream', (stream) => {
    let bytes = 0;
    stream.on('error', () => undefined);
    stream.on('data', (piece: Buffer) => {
      bytes += piece.length;
      if (bytes < body.length) return;
      stream.respond({ ':status': 200 }, { waitForTrailers: true });
      stream.once('wantTrailers', () => stream.sendTrailers({ done: 'yes' }));
      stream.end('hello');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return open((server.address() as AddressInfo).port);
}

/** A call of which every listener is called once; it ends itself when the server has. */
function fullCall(connection: ClientConnection, on: (point: string, stream: ClientStream) => void = () => undefined) {
  const said: string[] = [];
  const call = ask(connection, {
    body,
    keepOpen: true,
    on: (line) => {
      const [point] = line.split(' ');
      said.push(point!);
      on(point!, call.stream);
      if (point === 'ended') call.stream.end();
    },
  });
  return { ...call, said };
}

const points = ['drained', 'headers', 'data', 'settled', 'trailers', 'ended', 'closed'];

test('everything is told once, in order', async () => {
  const { connection } = await answering();
  const { said, heard } = fullCall(connection);
  expect(await heard.closing).toBe(errorCodes.noError);
  expect(said).toEqual(points);
  expect(heard.trailing).toMatchObject({ done: 'yes' });
});

test.each(points)('in the middle of %s, a program may do what it likes', async (where) => {
  const { connection, closed } = await answering();
  const upTo = points.slice(0, points.indexOf(where) + 1);
  /** Does it at that point; what is told then, and of another call that goes on meanwhile. */
  const run = async (act: (stream: ClientStream) => void) => {
    const other = fullCall(connection);
    const call = fullCall(connection, (point, stream) => {
      if (point === where) act(stream);
    });
    return { call, code: await call.heard.closing, other };
  };

  const closing = await run((stream) => {
    stream.close(errorCodes.cancel);
    stream.close(errorCodes.protocolError);
    expect(stream).toMatchObject({ closed: true, writableEnded: true });
    expect(stream.write(body)).toBe(true);
    stream.end();
    stream.resume();
  });
  expect(closing.call.said).toEqual(where === 'closed' ? points : [...upTo, 'closed']);
  expect(closing.code).toBe(where === 'closed' ? errorCodes.noError : errorCodes.cancel);
  expect(await closing.other.heard.closing).toBe(errorCodes.noError);

  let begun: ReturnType<typeof fullCall> | undefined;
  const beginning = await run(() => {
    begun = fullCall(connection);
  });
  expect(beginning.call.said).toEqual(points);
  expect(await begun!.heard.closing).toBe(errorCodes.noError);
  expect(await beginning.other.heard.closing).toBe(errorCodes.noError);

  const destroying = await run(() => {
    connection.destroy(new Error('enough'));
    begun = fullCall(connection);
  });
  // What came is told, even then.
  const rest = where === 'data' ? ['settled', 'closed'] : ['closed'];
  expect(destroying.call.said).toEqual(where === 'closed' ? points : [...upTo, ...rest]);
  expect(destroying.other.said.at(-1)).toBe('closed');
  expect(await begun!.heard.closing).toBe(errorCodes.refusedStream);
  expect(await closed).toMatchObject({ message: 'enough' });
});

test.each(['headers', 'data', 'settled', 'trailers', 'ended'])(
  'a listener that throws at %s ends its connection',
  async (where) => {
    const server = await rawServer();
    const { connection, closed } = await open(server.port);
    const peer = await server.accept();
    const { heard: other } = ask(connection);
    const { heard } = ask(connection, {
      keepOpen: true,
      on: (line) => {
        if (line.startsWith(where)) throw new Error('a fault of ours');
      },
    });
    await peer.next(1);
    const [head, trailers] = [headersFrame(3, 0, [':status', '200']), headersFrame(3, 1, ['a', 'b'])];
    peer.send(head, dataFrame(3, Buffer.from('x')), trailers);
    expect(await closed).toMatchObject({ message: 'a fault of ours' });
    expect(heard.said.at(-1)).toBe('closed undefined');
    expect(other.said).toEqual(['closed undefined']);
    expect((await peer.next(7)).payload.subarray(4)).toEqual(numbers(errorCodes.internalError));
    await peer.gone;
  },
);

test('a stream that was given up is told nothing of what came with the news', async () => {
  const server = await rawServer();
  const { connection } = await open(server.port);
  const peer = await server.accept();
  for (const where of ['headers', 'data', 'settled', 'trailers']) {
    const { stream, heard } = ask(connection, {
      keepOpen: true,
      on: (line) => {
        if (line.startsWith(where)) stream.close(errorCodes.cancel);
      },
    });
    const { stream: id } = await peer.next(1);
    const piece = dataFrame(id, Buffer.from('x'));
    peer.send(headersFrame(id, 0, [':status', '200']), piece, piece, headersFrame(id, 1, ['a', 'b']));
    expect(await heard.closing).toBe(errorCodes.cancel);
    expect(await peer.next(3)).toMatchObject({ stream: id, payload: numbers(errorCodes.cancel) });
    const all = ['headers 200', 'data 1', 'data 1', 'trailers'];
    const upTo = { headers: 1, data: 2, settled: 3, trailers: 4 }[where];
    expect(heard.said).toEqual([...all.slice(0, upTo), 'closed 8']);
  }
});

test('a stream that is paused gives nothing, and keeps no other stream waiting', async () => {
  const server = await rawServer();
  const { connection } = await open(server.port, { streamWindowBytes: 100_000, connectionWindowBytes: 150_000 });
  const peer = await server.accept();
  const { stream, heard } = ask(connection);
  const { heard: other } = ask(connection);
  stream.pause();
  await peer.next(1);
  const given = new Map([
    [0, 0],
    [1, 0],
    [3, 0],
  ]);
  const take = async (from: number) => {
    for (;;) {
      const { stream: id, payload } = await peer.next(8);
      given.set(id, given.get(id)! + payload.readUInt32BE(0));
      if (id === from) return;
    }
  };
  await take(0);
  peer.send(...[1, 3].map((id) => headersFrame(id, 0, [':status', '200'])));
  for (let sent = 0; sent < 100_000; sent += 10_000) peer.send(dataFrame(1, Buffer.alloc(10_000)));
  // A window of 100,000 bytes is given back by the quarter.
  for (let turn = 0; turn < 10; turn++) {
    peer.send(dataFrame(3, Buffer.alloc(25_000)));
    await take(3);
  }
  expect(given.get(1)).toBe(0);
  expect(given.get(3)).toBe(250_000);
  expect(given.get(0)).toBeGreaterThan(150_000 - 65_535 + 350_000 - 37_500 - 1);
  expect(heard.body).toHaveLength(100_000);
  stream.resume();
  await take(1);
  expect(given.get(1)).toBe(100_000);
  peer.send(dataFrame(1, Buffer.alloc(100_000), 1), dataFrame(3, Buffer.alloc(0), 1));
  expect(await heard.closing).toBe(errorCodes.noError);
  expect(await other.closing).toBe(errorCodes.noError);
});
