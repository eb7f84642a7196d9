import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BatchTimeoutError, CommandExecutionError, type ServiceHandler, type WorkContext } from 'furrow/golem';
import { beforeAll, describe, expect, test } from 'vitest';
import { LocalDaemon, quick, Shell } from './local-golem.js';

let daemon: LocalDaemon;

beforeAll(async () => {
  const providers = [{ name: 'meadow' }, { name: 'orchard', envPerHour: 0.2 }];
  daemon = await LocalDaemon.start({ providers, debitNoteIntervalMs: 200 });
  return () => daemon.close();
});

describe('against the local node, through golem-js', () => {
  test('runs commands and moves files, polled and streamed, and pays', async () => {
    const sent = join(daemon.folder, 'sent.bin');
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
        polled.downloadFile('/golem/work/sent.bin', join(daemon.folder, 'back.bin'));
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
    const { golem, events } = await daemon.open();
    const cluster = await golem.runService(Worker, quick);
    await cluster.ended;
    expect(cluster.instances[0]?.reason).toEqual({ kind: 'finished', message: 'Its run handler came to its end' });
    expect(results.all).toHaveLength(9);
    expect(results.echoed).toBe('$HOME a b ; ls\n');
    expect(results.shell).toMatchObject({ stdout: expect.stringMatching(/^\s*300000\n$/), stderr: 'to-stderr\n' });
    expect(Buffer.compare(results.back as Uint8Array, bytes)).toBe(0);
    expect(results.json).toEqual({ a: [1, 'zwei'] });
    expect([...(results.view as Uint8Array)]).toEqual([...bytes.subarray(1000, 1010)]);
    expect(Buffer.compare(await readFile(join(daemon.folder, 'back.bin')), bytes)).toBe(0);
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
    await daemon.leavesNothing();
    const invoices = await daemon.ask<{ status: string }[]>('/payment-api/v1/invoices');
    expect(invoices.map(({ status }) => status)).not.toContain('RECEIVED');
  });

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
    const { golem } = await daemon.open();
    let batches = 0;
    golem.events$.subscribe(({ type }) => {
      // The first batch is deploy and start.
      if (type === 'GettingResults' && ++batches === 3) daemon.node.goAway(500);
    });
    const cluster = await golem.runService(Counting, quick);
    await cluster.ended;
    expect(cluster.instances[0]?.reason).toMatchObject({ kind: 'finished' });
    expect(outputs).toEqual(['0', '1', '2']);
  });
});
