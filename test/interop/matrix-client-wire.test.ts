import { randomBytes } from 'node:crypto';
import { constants, type ServerHttp2Stream } from 'node:http2';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { meshErrorCodes } from '../../src/base/errors.js';
import { clientAt, gather, keepingLogger, until } from '../mesh/running.js';
import { type PythonPorts, pythonServes } from './matrix-publishers.js';
import { subscribe } from './matrix-subscribers.js';
import { startPython } from './python-peer.js';
import { frameOf, furrowHeaders, rawServer, replyOf, writeApart } from './raw-http2.js';

const peer = startPython('matrix_peer.py');
let python: PythonPorts | undefined;
beforeAll(async () => {
  python = peer && (await pythonServes(peer));
});
afterAll(() => peer?.stop());

const hasPython = peer !== undefined;

/** A frame with event `sequence` of `/a`. */
const eventFrame = (sequence: number, payload: Buffer) => frameOf(replyOf('/a', sequence, payload));

function listen(port: number, options: Parameters<typeof clientAt>[2] = {}) {
  const logger = keepingLogger();
  const client = clientAt(port, {}, { logger, ...options });
  const stream = client.events('/a');
  return { client, stream, logger, ...gather(stream) };
}

const payloads = (items: readonly { payload: Buffer }[]) => items.map(({ payload }) => payload.toString('hex'));

/** Ends a stream with these trailers. */
function endWith(stream: ServerHttp2Stream, trailers: Record<string, string>): void {
  stream.on('wantTrailers', () => stream.sendTrailers(trailers));
  stream.end();
}

test('events are read wherever their bytes were cut, and from single bytes', async () => {
  const sent = [Buffer.from('first'), Buffer.alloc(0), Buffer.from('the third')];
  const reply = Buffer.concat(sent.map((payload, sequence) => eventFrame(sequence, payload)));
  const { port } = await rawServer(async (stream, call) => {
    stream.respond(furrowHeaders());
    const pieces =
      call < reply.length
        ? [reply.subarray(0, call), reply.subarray(call)]
        : Array.from(reply, (_one, at) => reply.subarray(at, at + 1));
    for (const piece of pieces) await writeApart(stream, piece);
  });
  const client = clientAt(port);
  const streams = Array.from({ length: reply.length + 1 }, () => gather(client.events('/a')));
  await until(() => streams.every(({ items }) => items.length === sent.length));
  for (const { items } of streams) {
    expect(payloads(items)).toEqual(sent.map((payload) => payload.toString('hex')));
    expect(items.map(({ sequence }) => sequence)).toEqual([0, 1, 2]);
  }
});

test('an event over the limit ends the stream as RESOURCE_EXHAUSTED, and one of the limit comes, however both are cut', async () => {
  const maxMessageBytes = 2000;
  const least = replyOf('/a', 1, Buffer.alloc(200)).length - 200;
  const sizes = fc.oneof(
    fc.integer({ min: maxMessageBytes - 3, max: maxMessageBytes + 3 }),
    fc.integer({ min: 500, max: 10_000 }),
  );
  await fc.assert(
    fc.asyncProperty(
      sizes,
      fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 4 }),
      async (size, cuts) => {
        const first = eventFrame(0, Buffer.from('small'));
        const large = eventFrame(1, Buffer.alloc(size - least, 1));
        expect(large.length - 5).toBe(size);
        const bytes = Buffer.concat([first, large, eventFrame(2, Buffer.from('behind'))]);
        const { port } = await rawServer(async (stream, call) => {
          if (call > 0) return;
          stream.respond(furrowHeaders());
          for (let at = 0, cut = 0; at < bytes.length && !stream.destroyed; cut++) {
            const end = at + cuts[cut % cuts.length]!;
            await writeApart(stream, bytes.subarray(at, end));
            at = end;
          }
        });
        const { client, items, logger } = listen(port, { maxMessageBytes });
        if (size <= maxMessageBytes) {
          await until(() => items.length === 3);
          expect(items[1]!.payload).toHaveLength(size - least);
        } else {
          await until(() => logger.lines.some((line) => line.startsWith('warn')));
          expect(logger.lines.join()).toContain(`a message of ${size} bytes came; the limit is ${maxMessageBytes}`);
          // What lay before it may have come; never anything behind it.
          expect(items.filter(({ sequence }) => sequence > 0)).toEqual([]);
        }
        client.close();
      },
    ),
    { numRuns: 30 },
  );
});

test('after GOAWAY the events of a stream go on, and the next subscription takes a new connection', async () => {
  const streams: ServerHttp2Stream[] = [];
  const { port } = await rawServer((stream) => {
    stream.respond(furrowHeaders());
    stream.write(eventFrame(0, Buffer.from('0')));
    streams.push(stream);
  });
  const { client, items, stream } = listen(port);
  await until(() => items.length === 1);
  streams[0]!.session!.goaway(constants.NGHTTP2_NO_ERROR);
  streams[0]!.write(eventFrame(1, randomBytes(100_000)));
  await until(() => items.length === 2);
  const later = gather(client.events('/a'));
  await until(() => later.items.length === 1);
  streams[0]!.write(eventFrame(2, Buffer.from('2')));
  await until(() => items.length === 3);
  expect(streams[1]!.session).not.toBe(streams[0]!.session);
  expect(stream.counts).toEqual({ received: 3, lost: 0, reconnects: 0 });
});

test.each<[string, (stream: ServerHttp2Stream) => void]>([
  ['a GOAWAY with an error', (stream) => stream.session!.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM)],
  ['a reset', (stream) => stream.close(constants.NGHTTP2_INTERNAL_ERROR)],
  ['a refusal', (stream) => stream.close(constants.NGHTTP2_REFUSED_STREAM)],
  ['a broken connection', (stream) => stream.session!.destroy()],
])('%s in the middle of an event makes the client come back and ask for that event', async (_name, breaks) => {
  const asked: unknown[] = [];
  const cut = eventFrame(1, randomBytes(50_000));
  const { port } = await rawServer(async (stream, call, headers) => {
    const resume = headers['furrow-resume-bin'];
    asked.push(resume === undefined ? undefined : JSON.parse(Buffer.from(String(resume), 'base64').toString()));
    const first = JSON.stringify({ '/a': call, '*': 0 });
    stream.respond(furrowHeaders({ 'furrow-first-bin': Buffer.from(first).toString('base64') }));
    if (call === 0) {
      await writeApart(stream, eventFrame(0, Buffer.from('0')));
      await writeApart(stream, cut.subarray(0, 20_000));
      // Its reader must have had it, or this would break before it is there.
      await until(() => items.length === 1);
      breaks(stream);
    } else {
      stream.write(cut);
      stream.write(eventFrame(2, Buffer.from('2')));
    }
  });
  const { items, stream } = listen(port);
  await until(() => items.length === 3);
  expect(items.map(({ sequence }) => sequence)).toEqual([0, 1, 2]);
  expect(cut.includes(items[1]!.payload)).toBe(true);
  expect(asked).toEqual([undefined, { epoch: 'e', next: { '/a': 1, '*': 0 } }]);
  expect(stream.counts).toEqual({ received: 3, lost: 0, reconnects: 1 });
});

test('pings of a server are answered, in the middle of events', async () => {
  const answers: Buffer[] = [];
  const asked = Array.from({ length: 10 }, () => randomBytes(8));
  const { port } = await rawServer(async (stream) => {
    stream.respond(furrowHeaders());
    for (const [sequence, ping] of asked.entries()) {
      const frame = eventFrame(sequence, randomBytes(20_000));
      await writeApart(stream, frame.subarray(0, 9000));
      await new Promise<void>((resolve) =>
        stream.session!.ping(ping, (_error, _ms, answer) => {
          answers.push(answer);
          resolve();
        }),
      );
      await writeApart(stream, frame.subarray(9000));
    }
  });
  const { items } = listen(port);
  await until(() => items.length === 10);
  expect(answers.map(String)).toEqual(asked.map(String));
});

test('a compressed event ends the stream with an error that says so, and nothing behind it is taken for an event', async () => {
  const came: number[] = [];
  let reset = false;
  const { port } = await rawServer(async (stream, call) => {
    if (call > 0) return;
    stream.once('close', () => {
      reset = true;
    });
    stream.respond(furrowHeaders({ 'grpc-encoding': 'gzip' }));
    await writeApart(stream, eventFrame(0, Buffer.from('0')));
    await until(() => came.length === 1);
    const compressed = frameOf(gzipSync(replyOf('/a', 1, randomBytes(100_000))), { compressed: true });
    // Together they come in one read of the socket, in several frames of HTTP/2.
    stream.write(compressed.subarray(0, 16_384));
    stream.write(eventFrame(7, Buffer.from('looks like an event')));
  });
  const logger = keepingLogger();
  const stream = clientAt(port, {}, { logger }).events('/a');
  void stream.forEachBatch(async (batch) => {
    came.push(...batch.map(({ sequence }) => sequence));
    // Busy while the rest comes.
    await until(() => reset);
  });
  await until(() => logger.lines.some((line) => line.startsWith('warn')));
  expect(logger.lines.join()).toMatch(/was interrupted: a compressed message came, though this client takes none/);
  expect(came).toEqual([0]);
});

test.skipIf(!hasPython)('so does a Python service that compresses unasked, which other clients can read', async () => {
  const logger = keepingLogger();
  const { items } = gather(clientAt(python!.port, {}, { logger }).events('/compressed'));
  const plain = subscribe('grpc-js', python!.port, { path: '/compressed' });
  const own = subscribe('Python', python!.port, { path: '/compressed' }, python!.peer);
  for (let one = 0; one < 3; one++) await python!.peer.next('subscriber', ({ change }) => change === 1);
  python!.peer.send({ do: 'publish', path: '/compressed', value: Buffer.alloc(5000).toString('base64') });
  await until(() => logger.lines.some((line) => line.includes('a compressed message came')));
  await until(() => plain.came.length === 1 && own.came.length === 1);
  const { message } = await python!.peer.next('sent');
  expect([...plain.came, ...own.came]).toEqual([message, message]);
  expect(items).toEqual([]);
});

test('what a status says ends a subscription for good, or makes it come back', async () => {
  const final = ['invalid-argument', 'permission-denied', 'unauthenticated', 'unimplemented', 'failed-precondition'];
  const text = 'größe 100%\nsecond line';
  const { port } = await rawServer((stream, call) => {
    const code = call + 1;
    stream.respond(furrowHeaders(), { waitForTrailers: true });
    stream.write(eventFrame(0, Buffer.from('0')));
    endWith(stream, {
      'grpc-status': String(code),
      'grpc-message': encodeURIComponent(text),
      'grpc-status-details-bin': randomBytes(20).toString('base64'),
    });
  });
  for (const code of meshErrorCodes) {
    const logger = keepingLogger();
    const client = clientAt(port, {}, { logger });
    const { items, done } = gather(client.events('/a'));
    let failure: { code: string; message: string } | undefined;
    done.catch((error) => {
      failure = error;
    });
    const away = () => (client.state.status === 'away' ? client.state.reason : undefined);
    const warned = () => logger.lines.find((line) => line.includes('was interrupted'));
    await until(() => failure !== undefined || away() !== undefined || warned() !== undefined);
    expect(items, code).toHaveLength(1);
    if ([...final, 'out-of-range'].includes(code)) expect(failure, code).toMatchObject({ code });
    else expect(failure, code).toBeUndefined();
    expect(failure?.message ?? away() ?? warned(), code).toContain(text);
    client.close();
  }
});

test('a reader that stops stops the sender, however large the messages are', async () => {
  let written = 0;
  const frame = eventFrame(0, randomBytes(64 * 1024));
  const { port } = await rawServer((stream) => {
    stream.respond(furrowHeaders());
    const write = (): void => {
      do written += frame.length;
      while (stream.write(frame));
    };
    stream.on('drain', write);
    write();
  });
  const iterator = clientAt(port).events('/a')[Symbol.asyncIterator]();
  expect(await iterator.next()).toMatchObject({ done: false });
  let quiet = 0;
  for (let before = -1; quiet < 20; quiet = before === written ? quiet + 1 : 0) {
    before = written;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  // What the window and the reader's buffer hold.
  expect(written).toBeLessThan(4 * 1024 * 1024);
  await iterator.return!();
});
