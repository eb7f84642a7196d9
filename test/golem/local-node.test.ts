import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  BatchTimeoutError,
  CommandExecutionError,
  Golem,
  type GolemEvent,
  type GolemOptions,
  type RunServiceOptions,
  Service,
  type ServiceHandler,
  vm,
  type WorkContext,
} from 'furrow/golem';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type GolemNode, startGolemNode } from '../../services/golem-node/start-golem-node.js';
import { allAre, until } from './start-golem.js';

const imageHash = '0'.repeat(56);

let node: GolemNode;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'golem-local-'));
  node = await startGolemNode({
    folder: join(folder, 'activities'),
    providers: [{ name: 'meadow' }, { name: 'orchard', envPerHour: 0.2 }],
    debitNoteIntervalMs: 200,
  });
  return async () => {
    await node.close();
    await rm(folder, { recursive: true, force: true });
  };
});

const quick = {
  respawnPauseMs: 1,
  graceMs: 100,
  starvedMs: 1000,
  otherProviderWaitMs: 200,
  approvalTimeoutMs: 2000,
} satisfies RunServiceOptions<never>;

class Shell extends Service<unknown> {
  static override getPayload() {
    return vm.repo({ imageHash, imageUrl: 'http://127.0.0.1/none.gvmi', minStorageGib: 1 });
  }
}

async function open(options: Partial<GolemOptions> = {}): Promise<{ golem: Golem; events: GolemEvent[] }> {
  const events: GolemEvent[] = [];
  const golem = await Golem.open({
    budget: 1,
    stateDir: null,
    yagna: { url: node.url, appKey: node.appKey },
    eventConsumer: (event) => events.push(event),
    invoiceTimeoutMs: 5000,
    ...options,
  });
  onTestFinished(() => golem.close({ timeoutMs: 1000 }));
  return { golem, events };
}

/** Asks the node as the daemon it stands for. */
async function ask<T>(path: string): Promise<T> {
  const response = await fetch(`${node.url}${path}`, { headers: { Authorization: `Bearer ${node.appKey}` } });
  return (await response.json()) as T;
}

describe('against the local node, through golem-js', () => {
  test('runs commands and moves files, polled and streamed, and pays', async () => {
    const sent = join(folder, 'sent.bin');
    const bytes = new Uint8Array(300_000).map((_, i) => (i * 31) % 251);
    await writeFile(sent, bytes);
    const results: Record<string, unknown> = {};
    class Worker extends Shell {
      override async *run(work: WorkContext): ServiceHandler {
        const polled = work.newScript();
        polled.sendFile(sent, '/golem/work/sent.bin');
        polled.sendJson('/golem/work/value.json', { a: [1, 'zwei'] });
        // A view into a larger buffer: only the view may arrive.
        polled.sendBytes('/golem/work/view.bin', new Uint8Array(bytes.buffer, 1000, 10));
        const echoed = polled.run('/bin/echo', ['$HOME', 'a b', ';', 'ls']);
        const shell = polled.runInShell('echo to-stderr >&2; wc -c < /golem/work/sent.bin');
        const back = polled.downloadBytes('/golem/work/sent.bin');
        const json = polled.downloadJson('/golem/work/value.json');
        const view = polled.downloadBytes('/golem/work/view.bin');
        polled.downloadFile('/golem/work/sent.bin', join(folder, 'back.bin'));
        results.all = yield polled;
        results.echoed = (await echoed).stdout;
        results.shell = await shell;
        results.back = await back;
        results.json = await json;
        results.view = await view;

        const streamed = work.newScript({ streaming: true });
        const first = streamed.runInShell('echo one; echo two >&2');
        streamed.runInShell('echo never; exit 3');
        streamed.runInShell('echo not reached');
        try {
          yield streamed;
        } catch (error) {
          results.failure = error;
        }
        results.first = await first;
        const slow = work.newScript({ timeoutMs: 300 });
        slow.run('/bin/sleep', ['2']);
        try {
          yield slow;
        } catch (error) {
          results.timeout = error;
        }
      }
    }
    const { golem, events } = await open();
    const cluster = await golem.runService(Worker, quick);
    await cluster.ended;
    expect(cluster.instances[0]?.reason).toEqual({ kind: 'finished', message: 'Its run handler came to its end' });
    expect(results.all).toHaveLength(9);
    expect(results.echoed).toBe('$HOME a b ; ls\n');
    expect(results.shell).toMatchObject({ stdout: expect.stringMatching(/^\s*300000\n$/), stderr: 'to-stderr\n' });
    expect(Buffer.compare(results.back as Uint8Array, bytes)).toBe(0);
    expect(results.json).toEqual({ a: [1, 'zwei'] });
    expect([...(results.view as Uint8Array)]).toEqual([...bytes.subarray(1000, 1010)]);
    expect(Buffer.compare(await readFile(join(folder, 'back.bin')), bytes)).toBe(0);
    expect(results.first).toMatchObject({ stdout: 'one\n', stderr: 'two\n' });
    expect(results.failure).toBeInstanceOf(CommandExecutionError);
    expect(results.failure).toMatchObject({
      index: 1,
      command: 'run /bin/sh -c echo never; exit 3',
      stdout: 'never\n',
    });
    expect(results.timeout).toBeInstanceOf(BatchTimeoutError);
    await golem.close();
    const types = new Set(events.map(({ type }) => type));
    for (const type of ['InvoiceAccepted', 'CommandStdOut', 'DownloadFinished', 'ShutdownFinished'] as const) {
      expect(types).toContain(type);
    }
    expect(await ask('/payment-api/v1/allocations')).toEqual([]);
    expect(await ask('/market-api/v1/demands')).toEqual([]);
    const invoices = await ask<{ status: string }[]>('/payment-api/v1/invoices');
    expect(invoices.map(({ status }) => status)).not.toContain('RECEIVED');
  });

  test('the first batch’s result comes within a second of the agreement', async () => {
    const { golem, events } = await open();
    const cluster = await golem.runService(Shell, quick);
    await until(cluster, allAre('running'));
    const at = (type: string) => events.find((event) => event.type === type)?.timeMs ?? 0;
    expect(at('CommandExecuted') - at('AgreementConfirmed')).toBeLessThan(1000);
  });

  test('a provider that vanishes or ends the agreement: told with the reason, without shutdown', async () => {
    const { golem } = await open();
    const cluster = await golem.runService(Shell, { ...quick, numInstances: 2 });
    await until(cluster, allAre('running'));
    for (const { agreementId } of cluster.instances) node.terminate(agreementId ?? '', 'maintenance');
    await cluster.ended;
    for (const { reason } of cluster.instances) {
      expect(reason).toMatchObject({ kind: 'agreement-terminated', message: expect.stringContaining('maintenance') });
    }
  });

  test.each(['reject-proposal', 'reject-agreement', 'fail-activity', 'break-batch', 'terminate-agreement'] as const)(
    'an instance survives: %s',
    async (kind) => {
      node.faults.arm({ kind });
      const { golem } = await open();
      const cluster = await golem.runService(Shell, quick);
      await until(cluster, allAre('running'));
      expect(cluster.instances[0]?.reason).toBeUndefined();
    },
  );

  test('the daemon away for a time, in the middle of everything: the work goes on', async () => {
    const outputs: string[] = [];
    class Counting extends Shell {
      override async *run(work: WorkContext): ServiceHandler {
        for (let i = 0; i < 3; i += 1) {
          const script = work.newScript();
          const result = script.runInShell(`sleep 0.3; echo ${i}`);
          yield script;
          outputs.push((await result).stdout.trim());
        }
      }
    }
    const { golem } = await open();
    let batches = 0;
    golem.events$.subscribe(({ type }) => {
      // The first batch is deploy and start.
      if (type === 'GettingResults' && ++batches === 3) node.goAway(500);
    });
    const cluster = await golem.runService(Counting, quick);
    await cluster.ended;
    expect(cluster.instances[0]?.reason).toMatchObject({ kind: 'finished' });
    expect(outputs).toEqual(['0', '1', '2']);
  });

  test('an invoice ten times too high is rejected, and the allocation released all the same', async () => {
    node.faults.arm({ kind: 'raise-invoice', factor: 1_000_000 });
    const { golem, events } = await open();
    const cluster = await golem.runService(Shell, quick);
    await until(cluster, allAre('running'));
    cluster.stop();
    await cluster.ended;
    await golem.close();
    expect(events.filter(({ type }) => type === 'PaymentFailed')).toHaveLength(1);
    expect(events.some(({ type }) => type === 'InvoiceAccepted')).toBe(false);
    expect(await ask('/payment-api/v1/allocations')).toEqual([]);
  });
});
