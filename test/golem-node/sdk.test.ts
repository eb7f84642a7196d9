import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { GolemNetwork, MarketOrderSpec } from '@golem-sdk/golem-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { simpleServiceImage } from '../../services/simple-service/local-image.js';
import { type TestNode, testNode } from './node.js';

// The CommonJS build: the other one's downloadData() brings the process down.
const sdk = createRequire(import.meta.url)('@golem-sdk/golem-js') as typeof import('@golem-sdk/golem-js');

const order = (imageTag = 'golem/alpine:latest'): MarketOrderSpec => ({
  demand: { workload: { imageTag } },
  market: {
    rentHours: 0.5,
    pricing: { model: 'linear', maxStartPrice: 0.5, maxCpuPerHourPrice: 1, maxEnvPerHourPrice: 0.5 },
  },
});

interface Bench extends AsyncDisposable {
  readonly fixture: TestNode;
  readonly glm: GolemNetwork;
}

/** A node and the SDK connected to it, for one test: most of each one is the SDK's own waiting, so they overlap. */
async function bench(): Promise<Bench> {
  const fixture = await testNode({
    isolation: undefined,
    providers: [
      { name: 'alder', negotiationMs: 0 },
      { name: 'birch', negotiationMs: 0, cpuPerHour: 0.01, envPerHour: 0.001 },
      { name: 'cedar', negotiationMs: 0, cpuPerHour: 100 },
    ],
    images: [simpleServiceImage()],
  });
  const glm = new sdk.GolemNetwork({
    api: { url: fixture.node.url, key: fixture.node.appKey },
    payment: { driver: 'erc20', network: 'holesky' },
    logger: sdk.nullLogger(),
  });
  await glm.connect();
  return {
    fixture,
    glm,
    [Symbol.asyncDispose]: async () => {
      await glm.disconnect();
      await fixture[Symbol.asyncDispose]();
    },
  };
}

// The SDK asks one registry for a whole process; any node knows the hash of a tag.
let registry: TestNode;

beforeAll(async () => {
  registry = await testNode();
  process.env.GOLEM_REGISTRY_URL = registry.node.url;
});

afterAll(async () => {
  delete process.env.GOLEM_REGISTRY_URL;
  await registry[Symbol.asyncDispose]();
});

describe.concurrent('golem-js by its high-level interface', { timeout: 120_000 }, () => {
  it('says hello, from its own example', async () => {
    await using session = await bench();
    const { glm, fixture } = session;
    const rental = await glm.oneOf({ order: order() });
    const exe = await rental.getExeUnit();
    const result = await exe.run('echo Hello, Golem!');
    expect(result).toMatchObject({ result: 'Ok', stdout: 'Hello, Golem!\n', isBatchFinished: true });
    const failed = await exe.run('echo out; echo err >&2; exit 5');
    expect(failed).toMatchObject({ result: 'Error', stdout: 'out\n', stderr: 'err\n' });
    await rental.stopAndFinalize();

    const [invoice] = await fixture.requestor.invoices();
    expect(invoice.status).toBe('ACCEPTED');
    expect(Number(invoice.amount)).toBeGreaterThan(0);
    await glm.disconnect();
    expect(await fixture.requestor.expect(200, 'GET', '/payment-api/v1/allocations')).toEqual([]);
    expect(await fixture.requestor.expect(200, 'GET', '/market-api/v1/demands')).toEqual([]);
    expect(fixture.folders()).toEqual([]);
  });

  it('transfers files, data and JSON to and from /golem/work', async () => {
    await using session = await bench();
    const { glm } = session;
    const folder = mkdtempSync(join(tmpdir(), 'golem-files-'));
    try {
      const rental = await glm.oneOf({ order: order() });
      const exe = await rental.getExeUnit();
      // More than one piece, and not a whole number of them.
      const content = randomBytes(250_001);
      writeFileSync(join(folder, 'up'), content);
      expect((await exe.uploadFile(join(folder, 'up'), '/golem/work/some/file')).result).toBe('Ok');
      expect((await exe.run('wc -c < /golem/work/some/file')).stdout).toBe('250001\n');
      expect((await exe.downloadFile('/golem/work/some/file', join(folder, 'down'))).result).toBe('Ok');
      expect(readFileSync(join(folder, 'down')).equals(content)).toBe(true);

      await exe.uploadJson({ deep: [1, 'ü'] }, '/golem/work/value.json');
      expect((await exe.run('cat /golem/work/value.json')).stdout).toBe('{"deep":[1,"ü"]}');
      expect((await exe.downloadJson('/golem/work/value.json')).data).toEqual({ deep: [1, 'ü'] });
      expect(Buffer.from((await exe.downloadData('/golem/work/some/file')).data!).equals(content)).toBe(true);

      const missing = await exe.downloadFile('/golem/work/missing', join(folder, 'missing'));
      expect(missing).toMatchObject({ result: 'Error', message: expect.stringContaining('/golem/work/missing') });
      await exe.uploadData(new Uint8Array(0), '/golem/work/empty');
      expect((await exe.run('wc -c < /golem/work/empty')).stdout).toBe('0\n');
      await rental.stopAndFinalize();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('streams what a command prints, and runs batches', async () => {
    await using session = await bench();
    const { glm } = session;
    const rental = await glm.oneOf({ order: order() });
    const exe = await rental.getExeUnit();
    const remote = await exe.runAndStream('for n in 1 2 3; do echo line $n; done; echo problem >&2');
    const [stdout, stderr] = [[] as unknown[], [] as unknown[]];
    remote.stdout.subscribe((text) => stdout.push(text));
    remote.stderr.subscribe((text) => stderr.push(text));
    expect(await remote.waitForExit()).toMatchObject({ result: 'Ok', isBatchFinished: true });
    expect(stdout.join('')).toBe('line 1\nline 2\nline 3\n');
    expect(stderr.join('')).toBe('problem\n');

    const results = await exe.beginBatch().run('echo one > f').run('cat f').run('/bin/echo', ['a b']).end();
    expect(results.map(({ stdout: text }) => text)).toEqual(['', 'one\n', 'a b\n']);
    const broken = await exe.beginBatch().run('false').run('echo never').end();
    expect(broken.map(({ result }) => result)).toEqual(['Error', 'Error']);
    expect(broken[1]?.message).toBe('No result due to error');
    await rental.stopAndFinalize();
  });

  it('rents several, and chooses by price', async () => {
    await using session = await bench();
    const { glm, fixture } = session;
    const pool = await glm.manyOf({ order: order(), poolSize: 2 });
    const names = await Promise.all(
      [1, 2].map(() =>
        pool.withRental(
          async (rental) => (await (await rental.getExeUnit()).run('echo')) && rental.agreement.provider.name,
        ),
      ),
    );
    expect(names).not.toContain('cedar');
    await pool.drainAndClear();
    const all = await fixture.requestor.invoices();
    expect(all.every(({ status }) => status === 'ACCEPTED')).toBe(true);
  });

  it('reaches a port of an instance through a network', async () => {
    await using session = await bench();
    const { glm } = session;
    const server = createServer((_request, response) => response.end('from the instance'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const network = await glm.createNetwork({ ip: '10.0.0.0/24' });
    const rental = await glm.oneOf({ order: { ...order(), network } });
    const exe = await rental.getExeUnit();
    const proxy = exe.createTcpProxy((server.address() as AddressInfo).port);
    const free = createServer();
    await new Promise<void>((resolve) => free.listen(0, '127.0.0.1', resolve));
    const { port } = free.address() as AddressInfo;
    await new Promise((resolve) => free.close(resolve));
    await proxy.listen(port);
    const response = await fetch(`http://127.0.0.1:${port}/`, { headers: { Connection: 'close' } });
    expect(await response.text()).toBe('from the instance');
    await proxy.close();
    await rental.stopAndFinalize();
    await glm.destroyNetwork(network);
    server.close();
  });

  it('runs the simple service from its image', async () => {
    await using session = await bench();
    const { glm } = session;
    const rental = await glm.oneOf({ order: order('furrow/simple-service:latest') });
    const exe = await rental.getExeUnit();
    const service = async (...args: string[]) => String((await exe.run('/golem/run/simple_service', args)).stdout);
    await service('--init');
    expect((await exe.run('/golem/run/simulate_observations_ctl', ['--start', '--rate-hz', '100'])).result).toBe('Ok');
    while (JSON.parse(await service('--stats')).size < 5);
    const data = await exe.downloadData(JSON.parse(await service('--plot', 'dist')));
    expect(Buffer.from(data.data!).subarray(1, 4).toString()).toBe('PNG');
    expect((await exe.run('/golem/run/simulate_observations_ctl', ['--stop'])).result).toBe('Ok');
    const rows = JSON.parse(await service('--dump', '--since', '2'));
    expect(rows.length).toBe(JSON.parse(await service('--stats')).size - 2);
    await rental.stopAndFinalize();
  });
});

describe.concurrent('golem-js in trouble', { timeout: 120_000 }, () => {
  it('tries another provider when one changes its mind', async () => {
    await using session = await bench();
    const { glm, fixture } = session;
    fixture.node.faults.arm({ kind: 'reject-agreement', times: 1 });
    const rental = await glm.oneOf({ order: order() });
    expect((await (await rental.getExeUnit()).run('echo on')).stdout).toBe('on\n');
    await rental.stopAndFinalize();
  });

  it('is told that an activity was not created', async () => {
    await using session = await bench();
    const { glm, fixture } = session;
    fixture.node.faults.arm({ kind: 'fail-activity', times: 0 });
    const rental = await glm.oneOf({ order: order() });
    await expect(rental.getExeUnit()).rejects.toThrow(/could not create an activity|Server error|Internal/i);
    fixture.node.faults.clear();
    await rental.stopAndFinalize();
  });

  it('is told that the provider terminated the agreement', async () => {
    await using session = await bench();
    const { glm, fixture } = session;
    const told = new Promise<string>((resolve) => {
      glm.market.events.on('agreementTerminated', ({ terminatedBy, reason }) => resolve(`${terminatedBy}: ${reason}`));
    });
    const rental = await glm.oneOf({ order: order() });
    await rental.getExeUnit();
    fixture.node.terminate(rental.agreement.id, 'a power cut');
    expect(await told).toBe('Provider: a power cut');
    await rental.stopAndFinalize().catch(() => {});
  });

  it('gives up a command that hangs after its own patience', async () => {
    await using session = await bench();
    const { glm, fixture } = session;
    const rental = await glm.oneOf({ order: order() });
    const exe = await rental.getExeUnit();
    fixture.node.faults.arm({ kind: 'hang-command' });
    await expect(exe.run('echo', { signalOrTimeout: 300 })).rejects.toThrow(/aborted/i);
    await rental.stopAndFinalize();
  });

  it('accepts no invoice that is too high for the budget', async () => {
    await using session = await bench();
    const { glm, fixture } = session;
    const rental = await glm.oneOf({ order: order() });
    await rental.getExeUnit();
    fixture.node.faults.arm({ kind: 'raise-invoice', factor: 1e9 });
    await rental.stopAndFinalize();
    const [invoice] = await fixture.requestor.invoices();
    expect(invoice.status).toBe('RECEIVED');
  });
});
