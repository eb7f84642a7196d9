import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { withLane } from './request-ways.js';
import { clientOf, gather, int32, published, serve, subscribersOf, until } from './running.js';

let directory: string;
const file = (name: string) => join(directory, name);
const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: directory, stdio: 'pipe' });

/** An authority of its own name, and a certificate that it signed. */
function makeAuthority(name: string): void {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  openssl('req', '-x509', ...key, '-keyout', `${name}-ca.key`, '-out', `${name}-ca.pem`, '-subj', `/CN=${name}`);
  for (const end of ['server', 'client']) {
    const out = `${name}-${end}`;
    openssl('req', ...key.slice(0, 5), '-keyout', `${out}.key`, '-out', `${out}.csr`, '-subj', `/CN=${end}`);
    writeFileSync(file('names.cnf'), 'subjectAltName=DNS:localhost,IP:127.0.0.1');
    const signer = ['-CA', `${name}-ca.pem`, '-CAkey', `${name}-ca.key`, '-CAcreateserial'];
    openssl(
      'x509',
      '-req',
      '-in',
      `${out}.csr`,
      ...signer,
      '-out',
      `${out}.pem`,
      '-days',
      '2',
      '-extfile',
      'names.cnf',
    );
  }
}

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'furrow-tls-'));
  makeAuthority('farm');
  makeAuthority('stranger');
});
afterAll(() => rmSync(directory, { recursive: true }));

const pair = (name: string) => ({ cert: file(`${name}.pem`), key: file(`${name}.key`) });
const ca = (name: string) => ({ ca: file(`${name}-ca.pem`) });

async function secure(mutual: boolean) {
  const tls = { ...pair('farm-server'), ...(mutual ? ca('farm') : {}) };
  const service = await serve({ published: [published('/count', { latch: true })] }, { tls });
  service.onRequest('/double', (value: number) => value * 2, { request: int32.type, reply: int32.type });
  await service.publish('/count', 7);
  return service;
}

async function works(service: Awaited<ReturnType<typeof secure>>, tls: object): Promise<void> {
  const client = clientOf(service, { tls });
  const { items } = gather(client.events('/count'));
  await until(() => items.length === 1);
  expect(items[0]!.message).toBe(7);
  expect((await client.request('/double', 4, { type: int32.type })).message).toBe(8);
  await withLane(client);
  expect((await client.request('/double', 5, { type: int32.type })).message).toBe(10);
}

test('events and requests travel through TLS', async () => works(await secure(false), ca('farm')));

test('and through mutual TLS', async () => works(await secure(true), { ...ca('farm'), ...pair('farm-client') }));

test('a server that is not signed by our authority is not trusted, and the reason is told', async () => {
  const service = await secure(false);
  const client = clientOf(service, { tls: ca('stranger') });
  await expect(client.listUris()).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringMatching(/127\.0\.0\.1:\d+: .*certificate/),
  });
});

test.each([
  ['no certificate', () => ca('farm')],
  ['one of a stranger', () => ({ ...ca('farm'), ...pair('stranger-client') })],
])('mutual TLS turns away a client with %s', async (_, tls) => {
  const service = await secure(true);
  const client = clientOf(service, { tls: tls() });
  await expect(client.listUris()).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringMatching(/certificate/),
  });
  const { items } = gather(client.events('/count'));
  await until(() => client.state.status === 'away');
  expect(client.state.reason).toMatch(/certificate/);
  expect(items).toEqual([]);
  expect(subscribersOf(service)).toHaveLength(0);
});

test('plain text to a TLS port, and TLS to a plain port, fail with a hint', async () => {
  const service = await secure(false);
  const fails = { code: 'unavailable', message: expect.stringMatching(/TLS|SSL/) };
  await expect(clientOf(service).listUris()).rejects.toMatchObject(fails);
  const plain = await serve();
  await expect(clientOf(plain, { tls: ca('farm') }).listUris()).rejects.toMatchObject(fails);
});

test('files that are missing or do not fit are named', async () => {
  const wrong = { code: 'invalid-argument' };
  await expect(serve({}, { tls: { cert: file('none.pem'), key: file('farm-server.key') } })).rejects.toMatchObject({
    ...wrong,
    message: expect.stringMatching(/--tls-cert .*none\.pem/),
  });
  await expect(serve({}, { tls: { cert: file('farm-server.pem') } })).rejects.toMatchObject(wrong);
  await expect(
    serve({}, { tls: { cert: file('farm-server.pem'), key: file('farm-client.key') } }),
  ).rejects.toMatchObject({ ...wrong, message: expect.stringContaining('do not fit together') });
  const service = await secure(false);
  const client = clientOf(service, { tls: { ca: file('none.pem') } });
  await expect(client.listUris()).rejects.toMatchObject({
    ...wrong,
    message: expect.stringMatching(/--tls-ca .*none/),
  });
  await expect(gather(client.events('/count')).done).rejects.toMatchObject(wrong);
});
