import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { connectYagna } from 'furrow/golem';
import { describe, expect, onTestFinished, test } from 'vitest';
import { MeshError } from '../../src/base/errors.js';
import { watchDaemonEvents } from '../../src/golem/daemon-events.js';
import { type PolledEvent, pollEvents } from '../../src/golem/event-poller.js';
import { silentLogger, TroubleLog } from '../../src/golem/logger.js';
import { FakeDaemon } from './fake-daemon.js';

const at = (ms: number) => new Date(1_700_000_000_000 + ms).toISOString();

/** A daemon's stream: events strictly after the cursor, at most so many. */
function stream(log: readonly PolledEvent[], mostEvents = 100) {
  return async (after: string) => log.filter(({ date }) => Date.parse(date) > Date.parse(after)).slice(0, mostEvents);
}

/** Polls until as many events came as expected, and a little on. */
async function collect(log: PolledEvent[], options: { mostEvents?: number; late?: () => void; expected: number }) {
  const controller = new AbortController();
  const got: string[] = [];
  let polls = 0;
  const read = stream(log, options.mostEvents);
  await pollEvents({
    fetch: async (after) => {
      polls += 1;
      if (got.length >= options.expected && polls > 3) controller.abort();
      return read(after);
    },
    handle: ({ key }) => {
      got.push(key);
      if (got.length === 1) options.late?.();
    },
    signal: controller.signal,
    waitSeconds: 0,
    startMs: Date.parse(at(0)),
  });
  return got;
}

describe('reading the daemon’s events', () => {
  test('all events of one poll are handled, each once', async () => {
    const log = Array.from({ length: 50 }, (_, i) => ({ key: `e${i}`, date: at(10) }));
    expect(await collect(log, { expected: 50 })).toEqual(log.map(({ key }) => key));
  });

  test('an event that shares the timestamp of the last one read is not lost', async () => {
    const log = [{ key: 'first', date: at(10) }];
    const got = await collect(log, { expected: 2, late: () => void log.push({ key: 'twin', date: at(10) }) });
    expect(got).toEqual(['first', 'twin']);
  });

  test('an event stamped earlier than the last one read is not lost', async () => {
    const log = [{ key: 'first', date: at(1500) }];
    const got = await collect(log, { expected: 2, late: () => void log.push({ key: 'older', date: at(900) }) });
    expect(got).toEqual(['first', 'older']);
  });

  test('whatever the timestamps, every event comes once', async () => {
    const dates = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(dates, async (offsets) => {
        const log = offsets.sort((a, b) => a - b).map((offset, i) => ({ key: `e${i}`, date: at(offset) }));
        const got = await collect(log, { expected: log.length });
        expect(got).toEqual(log.map(({ key }) => key));
      }),
      { numRuns: 30 },
    );
  });

  test('while the daemon is away it is asked ever more slowly, and only its version', async () => {
    const daemon = new FakeDaemon([]);
    daemon.isAway = true;
    const lines: string[] = [];
    const logger = { warn: (line: string) => void lines.push(line), error: () => undefined };
    const controller = new AbortController();
    const handlers = { onAgreement: () => undefined, onInvoice: () => undefined, onDebitNote: () => undefined };
    const watching = watchDaemonEvents(daemon, handlers, { signal: controller.signal, logger });
    await expect.poll(() => daemon.count('version'), { timeout: 5000 }).toBeGreaterThanOrEqual(3);
    controller.abort();
    await watching;
    // Three streams: one poll each until the failure, then one probe a try.
    expect(daemon.count('agreementEvents')).toBe(1);
    expect(daemon.calls.length).toBeLessThan(30);
    expect(lines).toHaveLength(1);
  });

  test('news during an absence arrive after it', async () => {
    const daemon = new FakeDaemon([{ id: 'p1' }]);
    const controller = new AbortController();
    onTestFinished(() => controller.abort());
    const got: string[] = [];
    const handlers = {
      onAgreement: () => undefined,
      onDebitNote: () => undefined,
      onInvoice: (id: string) => void got.push(id),
    };
    daemon.isAway = true;
    void watchDaemonEvents(daemon, handlers, { signal: controller.signal, logger: silentLogger });
    await expect.poll(() => daemon.count('invoiceEvents')).toBe(1);
    daemon.invoiceLog.push({ type: 'InvoiceReceivedEvent', id: 'i1', date: daemon.stamp() });
    daemon.invoiceLog.push({ type: 'InvoiceAcceptedEvent', id: 'i2', date: daemon.stamp() });
    daemon.isAway = false;
    await expect.poll(() => got, { timeout: 5000 }).toEqual(['i1']);
  });

  test('a row of failures is one line, and the line says how many it stands for', () => {
    const lines: string[] = [];
    const trouble = new TroubleLog({ warn: (line) => void lines.push(line), error: () => undefined }, 'Polling', {
      everyMs: 0,
    });
    const quiet = new TroubleLog({ warn: (line) => void lines.push(line), error: () => undefined }, 'Quiet');
    for (let i = 0; i < 1000; i += 1) quiet.failed(new Error('refused'));
    quiet.succeeded();
    expect(lines).toEqual(['Quiet: refused', 'Quiet: works again after 1000 failures']);
    trouble.failed(new Error('x'));
    trouble.failed(new Error('y'));
    expect(lines).toHaveLength(4);
  });
});

describe('connecting', () => {
  type Answer = (request: IncomingMessage, response: ServerResponse) => void;

  async function serve(answer: Answer): Promise<{ url: string; paths: string[] }> {
    const paths: string[] = [];
    const server = createServer((request, response) => {
      paths.push(request.url ?? '');
      answer(request, response);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, paths };
  }

  const json = (response: ServerResponse, status: number, body: unknown) => {
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
  };

  const daemonAnswer =
    (version: string): Answer =>
    (request, response) => {
      if (request.url?.startsWith('/version')) return json(response, 200, { current: { version } });
      if (request.headers.authorization !== 'Bearer key') return json(response, 401, { message: 'bad key' });
      if (request.url === '/me') return json(response, 200, { identity: '0x1', name: 'me', role: 'manager' });
      return json(response, 500, { message: 'not here' });
    };

  test('needs a key, a daemon that answers, and one that is new enough', async () => {
    const { url } = await serve(daemonAnswer('0.15.1'));
    await expect(connectYagna({ url, appKey: '' })).rejects.toMatchObject({ code: 'unauthenticated' });
    await expect(connectYagna({ url, appKey: 'key' })).rejects.toThrow(/"0.15.1"; 0.15.2 or newer/);
    const good = await serve(daemonAnswer('v0.16.0 (abc)'));
    await expect(connectYagna({ url: good.url, appKey: 'wrong' })).rejects.toMatchObject({ code: 'unauthenticated' });
    const nobody = connectYagna({ url: 'http://127.0.0.1:9', appKey: 'key' });
    await expect(nobody).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('did not answer'),
    });
  });

  test('a daemon that hangs is given up at the deadline', async () => {
    const { url } = await serve(() => undefined);
    await expect(connectYagna({ url, appKey: 'key', timeoutMs: 50 })).rejects.toMatchObject({
      code: 'deadline-exceeded',
    });
  });

  test('starts no pollers of its own, and one API may lie elsewhere', async () => {
    const main = await serve(daemonAnswer('0.16.0'));
    const other = await serve((_request, response) => json(response, 200, []));
    const daemon = await connectYagna({ url: main.url, appKey: 'key', marketUrl: `${other.url}/market-api/v1` });
    onTestFinished(() => daemon.close());
    expect(main.paths).toEqual(['/version/get', '/me']);
    expect(await daemon.market.listDemands()).toEqual([]);
    expect(other.paths).toEqual(['/market-api/v1/demands']);
    const failing = daemon.payment.listInvoices();
    await expect(failing).rejects.toThrow(/answered 500 to list invoices: not here/);
    await expect(failing).rejects.toBeInstanceOf(MeshError);
  });

  test('a call ends by its signal', async () => {
    const { url } = await serve((request, response) => {
      if (request.url !== '/payment-api/v1/allocations') daemonAnswer('0.16.0')(request, response);
    });
    const daemon = await connectYagna({ url, appKey: 'key' });
    const call = daemon.payment.listAllocations({ signal: AbortSignal.timeout(20) });
    await expect(call).rejects.toMatchObject({ code: 'deadline-exceeded' });
  });
});
