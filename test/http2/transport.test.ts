import dns from 'node:dns';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createSecureServer } from 'node:http2';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import { Transport } from '../../src/http2/transport.js';
import { ca, localhostTls, otherCa } from '../tls/files.js';
import { ask, open } from './opened.js';
import { dataFrame, headersFrame, rawServer } from './raw-peer.js';

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const pem = { cert: readFileSync(localhostTls.cert), key: readFileSync(localhostTls.key) };
const trusted = { ca: readFileSync(ca) };

/** The port of a TLS server that sends the name it was asked for and the certificate it was shown. */
async function secureServer(options: { ca?: Buffer; requestCert?: boolean } = {}): Promise<number> {
  const server = createSecureServer({ ...pem, ...options });
  server.on('stream', (stream) => {
    const { servername, authorized } = stream.session!.socket as never as { servername: string; authorized: boolean };
    stream.respond(
      { ':status': 200, 'x-name': String(servername), 'x-known': String(authorized) },
      { endStream: true },
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

test.each([
  ['127.0.0.1', 'false'],
  ['localhost', 'localhost'],
])('TLS to %s: the name is right, and a certificate is shown', async (host, name) => {
  const port = await secureServer({ ...trusted, requestCert: true });
  const { connection } = await open(port, { host, tls: { ...trusted, ...pem } });
  const { heard } = ask(connection, { body: Buffer.alloc(1000) });
  expect(await heard.closing).toBe(0);
  expect(heard.fields).toMatchObject({ 'x-name': name, 'x-known': 'true' });
});

test('a certificate of another authority, or for another name, is no connection', async () => {
  const port = await secureServer();
  const unknown = open(port, { tls: { ca: readFileSync(otherCa) } });
  await expect(unknown).rejects.toMatchObject({ message: expect.stringMatching(/certificate/) });
  vi.spyOn(dns, 'lookup').mockImplementation(((
    _host: string,
    _options: object,
    done: (...results: unknown[]) => void,
  ) => done(null, [{ address: '127.0.0.1', family: 4 }])) as never);
  const other = open(port, { host: 'elsewhere.test', tls: trusted });
  await expect(other).rejects.toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
});

test('a TLS server that does not choose HTTP/2 is none', async () => {
  const server = createTlsServer(pem, (socket) => socket.on('error', () => undefined));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const opening = open((server.address() as AddressInfo).port, { tls: trusted });
  await expect(opening).rejects.toMatchObject({ message: 'it speaks TLS, but not HTTP/2' });
});

test('a name of several addresses: the first that answers is taken, and what it says is read', async () => {
  const server = await rawServer();
  vi.spyOn(dns, 'lookup').mockImplementation(((
    _host: string,
    _options: object,
    done: (...results: unknown[]) => void,
  ) =>
    done(null, [
      { address: '::1', family: 6 },
      { address: '127.0.0.1', family: 4 },
    ])) as never);
  const { connection } = await open(server.port, { host: 'two.test' });
  const peer = await server.accept();
  const { heard } = ask(connection);
  await peer.next(1);
  const body = Buffer.alloc(50_000, 'x');
  peer.send(headersFrame(1, 0, [':status', '200']), dataFrame(1, body, 1));
  expect(await heard.closing).toBe(0);
  expect(heard.body.equals(body)).toBe(true);
});

test.each(['127.0.0.1', '::1'])('nobody at %s is an error with its reason', async (host) => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  await expect(open(port, { host })).rejects.toMatchObject({ code: expect.stringMatching(/^E/) });
});

test('an end waits for what was written, but not for ever', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.pause();
    socket.on('error', () => undefined);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const connected = async () => {
    let closed = false;
    const ended = deferred();
    const opened = deferred();
    const transport = new Transport(
      { host: '127.0.0.1', port, tls: undefined },
      {
        connected: opened.resolve,
        read: () => undefined,
        drained: () => undefined,
        closed: () => {
          closed = true;
          ended.resolve();
        },
      },
    );
    await opened.promise;
    return { transport, isClosed: () => closed, ended: ended.promise };
  };
  const stuck = await connected();
  stuck.transport.write([Buffer.alloc(30 * 1024 * 1024)]);
  stuck.transport.end();
  const quick = await connected();
  quick.transport.write([Buffer.from('bye')]);
  quick.transport.end();
  // What is written after the end does not keep it from coming.
  expect(quick.transport.write([Buffer.from('more')])).toBe(true);
  await quick.ended;
  expect(stuck.isClosed()).toBe(false);
  await vi.advanceTimersByTimeAsync(60_000);
  await stuck.ended;
  expect(vi.getTimerCount()).toBe(0);
});

function deferred(): { readonly promise: Promise<void>; resolve(): void } {
  let resolve!: () => void;
  const promise = new Promise<void>((fulfil) => {
    resolve = fulfil;
  });
  return { promise, resolve };
}
