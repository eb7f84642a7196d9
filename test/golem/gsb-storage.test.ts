import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { gsbStorage } from '../../src/golem/gsb-storage.js';
import { silentLogger } from '../../src/golem/logger.js';
import { loadFlexbuffers } from '../../src/golem/yagna-sdk.js';

const codec = loadFlexbuffers();

/** The daemon's side of file transfers: one socket after the other, and how many are bound. */
async function bus() {
  const server = createServer();
  const sockets = new WebSocketServer({ server });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const client of sockets.clients) client.terminate();
    server.close();
  });
  const bound = new Set<string>();
  const gsb = {
    bindServices: () => {
      const servicesId = `s${bound.size}`;
      bound.add(servicesId);
      return Object.assign(Promise.resolve({ servicesId }), { cancel: () => undefined });
    },
    unbindServices: (id: string) => {
      bound.delete(id);
      return Object.assign(Promise.resolve(), { cancel: () => undefined });
    },
  };
  const connected = new Promise<WebSocket>((resolve) => sockets.once('connection', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const storage = gsbStorage({ gsb: gsb as never, url, appKey: 'k', nodeId: '0x1', logger: silentLogger });
  onTestFinished(() => storage.shutdown());
  let lastId = 0;
  /** One question of the daemon's, and the answer; undefined when the socket is closed instead. */
  const ask = async (component: string, payload: unknown) => {
    const socket = await connected;
    const answer = new Promise<{ payload: unknown } | undefined>((resolve) => {
      socket.once('message', (data: Buffer) =>
        resolve(codec.toObject(new Uint8Array(data).buffer) as { payload: unknown }),
      );
      socket.once('close', () => resolve(undefined));
    });
    socket.send(codec.encode({ id: `m${++lastId}`, component, payload }));
    return answer;
  };
  return { storage, ask, bound };
}

const chunk = (offset: number, content: Uint8Array) => ({ chunk: { offset, content } });
const sha3 = (bytes: Uint8Array) => createHash('sha3-256').update(bytes).digest('hex');

describe('file transfer', () => {
  test('a view is sent as itself, not as the buffer behind it', async () => {
    const { storage, ask } = await bus();
    await storage.publish(new Uint8Array(new Uint8Array([9, 9, 1, 2, 3, 9]).buffer, 2, 3));
    expect(await ask('GetMetadata', {})).toMatchObject({ payload: { fileSize: 3 } });
    const answer = await ask('GetChunk', { offset: 1, size: 10 });
    const { content } = (answer as { payload: { content: Uint8Array } }).payload;
    expect([...content]).toEqual([2, 3]);
  });

  test('a file appears when it is complete, and nothing is left bound', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'golem-gsb-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const { storage, ask, bound } = await bus();
    const { url, done } = await storage.receive({ file: join(folder, 'f') });
    await ask('UploadChunk', chunk(0, new Uint8Array([1, 2])));
    expect((await readdir(folder)).includes('f')).toBe(false);
    await ask('UploadChunk', chunk(2, new Uint8Array([3])));
    await ask('UploadFinished', { hash: sha3(new Uint8Array([1, 2, 3])) });
    await done;
    expect([...(await readFile(join(folder, 'f')))]).toEqual([1, 2, 3]);
    await storage.close([url]);
    expect(bound.size).toBe(0);
    expect(await readdir(folder)).toEqual(['f']);
  });

  test('a damaged file is an error of its download, not of the process', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'golem-gsb-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const { storage, ask } = await bus();
    const { done } = await storage.receive({ file: join(folder, 'f') });
    await ask('UploadChunk', chunk(0, new Uint8Array([1, 2])));
    await ask('UploadFinished', { hash: sha3(new Uint8Array([7])) });
    await expect(done).rejects.toMatchObject({ code: 'data-loss' });
    expect(await readdir(folder)).toEqual([]);
  });

  test('more than allowed is refused, and the provider told by the closed socket', async () => {
    const { storage, ask, bound } = await bus();
    const { done } = await storage.receive({ maxBytes: 3 });
    expect(await ask('UploadChunk', chunk(0, new Uint8Array(2)))).toBeDefined();
    expect(await ask('UploadChunk', chunk(2, new Uint8Array(2)))).toBeUndefined();
    await expect(done).rejects.toMatchObject({ code: 'resource-exhausted' });
    await expect.poll(() => bound.size).toBe(0);
  });

  test('a transfer that is withdrawn fails, and leaves no half file', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'golem-gsb-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const { storage, ask } = await bus();
    const { url, done } = await storage.receive({ file: join(folder, 'f') });
    await ask('UploadChunk', chunk(0, new Uint8Array(2)));
    await storage.close([url]);
    await expect(done).rejects.toMatchObject({ code: 'cancelled' });
    expect(await readdir(folder)).toEqual([]);
  });

  test.each([['/no/such/file'], ['/']])('a local file that cannot be sent (%s) is the caller’s fault', async (path) => {
    const { storage, bound } = await bus();
    await expect(storage.publish(path)).rejects.toMatchObject({ code: 'invalid-argument' });
    expect(bound.size).toBe(0);
  });
});
