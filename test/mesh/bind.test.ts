import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { EventService } from 'furrow';
import { expect, onTestFinished, test } from 'vitest';
import { clientAt, entry, keepingLogger, registry, serve } from './running.js';

test.each(['127.0.0.1', 'localhost', '127.0.0.2'])('%s is served without TLS', async (host) => {
  const service = await serve({ host });
  expect((await clientAt(service.port, { host }).listUris()).length).toBe(1);
});

test('loopback stays loopback', async () => {
  const service = await serve({ host: '127.0.0.1' });
  await expect(clientAt(service.port, { host: '127.0.0.2' }).listUris()).rejects.toMatchObject({ code: 'unavailable' });
});

test.each(['0.0.0.0', '::', '192.0.2.1'])('%s is refused without TLS, with what to do', async (host) => {
  const service = new EventService(entry({ host }), { registry });
  await expect(service.start()).rejects.toMatchObject({
    code: 'failed-precondition',
    message: expect.stringMatching(/can be reached from other machines.*--tls-cert.*--insecure/),
  });
});

test('told to allow it, a service warns before it binds', async () => {
  const logger = keepingLogger();
  // An address that no machine has: the warning comes, and nothing is served.
  const service = new EventService(entry({ host: '192.0.2.1' }), { registry, logger, allowInsecure: true });
  await expect(service.start()).rejects.toMatchObject({ code: 'invalid-argument' });
  expect(logger.lines[0]).toMatch(/^warn: 192\.0\.2\.1 serves plain text to other machines/);
});

test('a host without an address is an error that names it', async () => {
  const service = new EventService(entry({ host: 'no-such-host.invalid' }), { registry });
  await expect(service.start()).rejects.toMatchObject({
    code: 'invalid-argument',
    message: expect.stringContaining('"no-such-host.invalid" has no address'),
  });
});

test('a port in use is an error that names it', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  onTestFinished(() => void other.close());
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  await expect(serve({ port })).rejects.toMatchObject({
    code: 'already-exists',
    message: `port ${port} of 127.0.0.1 is in use by another process`,
  });
});
