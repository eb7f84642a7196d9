import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  BatchTimeoutError,
  CommandExecutionError,
  PollingBatch,
  Script,
  Service,
  type ServiceHandler,
  type WorkContext,
} from 'furrow/golem';
import { describe, expect, onTestFinished, test } from 'vitest';
import { MeshError } from '../../src/base/errors.js';
import { runScript } from '../../src/golem/script-runner.js';
import { FakeDaemon, type FakeProvider } from './fake-daemon.js';
import { quick, startGolem } from './start-golem.js';

async function target(run?: FakeProvider['run']) {
  const daemon = new FakeDaemon([{ id: 'p1', ...(run ? { run } : {}) }]);
  const demandId = await daemon.market.publishDemand({ properties: {}, constraints: '' });
  const [event] = await daemon.market.collectOffers(demandId, { waitSeconds: 0 });
  if (event?.type !== 'proposal') throw new Error('no offer');
  const agreementId = await daemon.market.createAgreement(event.proposal.proposalId, new Date());
  await daemon.market.confirmAgreement(agreementId);
  const activityId = await daemon.activity.createActivity(agreementId);
  const events: string[] = [];
  const control = new AbortController();
  const where = {
    daemon,
    activityId,
    agreementId,
    provider: { id: 'p1', name: 'p1' },
    emit: (type: string) => void events.push(type),
    deadlineMs: Date.now() + 60_000,
    signal: control.signal,
  };
  return { daemon, where, events, control };
}

const hangs = () => new Promise<never>(() => undefined);

describe('scripts', () => {
  test('arguments reach the program as they are; a shell only when asked', async () => {
    const { daemon, where } = await target();
    const script = new Script();
    script.run('/bin/x', ['a b', '$HOME', ';rm'], { env: { A: '1' } });
    script.runInShell('echo $HOME');
    await runScript(script, where);
    expect(daemon.commands).toMatchObject([
      {
        run: {
          entry_point: '/bin/x',
          args: ['a b', '$HOME', ';rm'],
          env: { A: '1' },
          capture: { stdout: { atEnd: {} } },
        },
      },
      { run: { entry_point: '/bin/sh', args: ['-c', 'echo $HOME'] } },
    ]);
  });

  test.each([
    ['run', (s: Script) => s.run('')],
    ['run', (s: Script) => s.run('/x', ['a\0b'])],
    ['run', (s: Script) => s.run('/x', [undefined as never])],
    ['sendJson', (s: Script) => s.sendJson('/x', undefined)],
    ['download', (s: Script) => s.downloadBytes('')],
  ])('%s refuses what it cannot send, when it is built', (_name, build) => {
    expect(() => build(new Script())).toThrow(MeshError);
  });

  test('files, JSON and bytes go there and come back; nothing stays open', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'golem-files-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    await writeFile(join(folder, 'a'), 'file');
    const { daemon, where, events } = await target();
    const script = new Script();
    script.sendFile(join(folder, 'a'), '/a');
    script.sendJson('/b', { n: 1 });
    script.sendBytes('/c', new Uint8Array([1, 2]));
    const json = script.downloadJson('/b');
    const bytes = script.downloadBytes('/c');
    const file = script.downloadFile('/a', join(folder, 'copy'));
    await runScript(script, where);
    expect(await json).toEqual({ n: 1 });
    expect([...(await bytes)]).toEqual([1, 2]);
    await file;
    expect(await readFile(join(folder, 'copy'), 'utf8')).toBe('file');
    expect(daemon.openTransfers).toBe(0);
    expect(events.filter((type) => type === 'DownloadFinished')).toHaveLength(3);
  });

  test.each([false, true])(
    'streaming %s: the first failing command ends the batch, with its output and place',
    async (streaming) => {
      const { where, daemon } = await target(({ args }) =>
        args[0] === 'bad' ? { ok: false, stdout: 'half', message: 'exit 3' } : { stdout: 'fine' },
      );
      const script = new Script({ streaming });
      const before = script.run('/bin/x', ['good']);
      const failing = script.run('/bin/x', ['bad']);
      const after = script.downloadBytes('/never');
      const ran = runScript(script, where);
      await expect(ran).rejects.toBeInstanceOf(CommandExecutionError);
      await expect(ran).rejects.toMatchObject({ code: 'aborted', index: 1, command: 'run /bin/x bad', stdout: 'half' });
      expect((await before).stdout).toBe('fine');
      await expect(failing).rejects.toThrow(/exit 3/);
      await expect(after).rejects.toThrow(MeshError);
      expect(daemon.openTransfers).toBe(0);
    },
  );

  test('a stream that breaks is polled on, and no output is lost', async () => {
    const { where, daemon, events } = await target(({ args }) => ({ stdout: args[0] ?? '' }));
    daemon.streamBreaksAfter = 4;
    const script = new Script({ streaming: true });
    const results = ['one', 'two', 'three'].map((word) => script.run('/bin/echo', [word]));
    await runScript(script, where);
    expect((await Promise.all(results)).map(({ stdout }) => stdout)).toEqual(['one', 'two', 'three']);
    expect(events.filter((type) => type === 'CommandExecuted')).toHaveLength(3);
    expect(events).toContain('CommandStdOut');
  });

  test.each([false, true])('streaming %s: a batch that hangs ends at its deadline', async (streaming) => {
    const { where } = await target(hangs);
    const script = new Script({ timeoutMs: 60, streaming });
    const result = script.run('/bin/sleep');
    await expect(runScript(script, where)).rejects.toBeInstanceOf(BatchTimeoutError);
    await expect(result).rejects.toMatchObject({ code: 'deadline-exceeded' });
  });

  test('a batch knows how long it has', async () => {
    const { where } = await target();
    const batch = new PollingBatch({ ...where, batchId: 'b', size: 1, timeoutMs: 5000 });
    expect(batch.id).toBe('b');
    expect(batch.secondsLeft()).toBeGreaterThan(4);
    expect(batch.secondsLeft()).toBeLessThanOrEqual(5);
  });

  test('results that cannot be fetched for a moment are asked for again', async () => {
    const { where, daemon } = await target();
    daemon.failNext('batchResults', new MeshError('unavailable', 'away'), new MeshError('internal', '500'));
    const script = new Script();
    const result = script.run('/bin/x');
    await runScript(script, where);
    expect((await result).stdout).toBe('/bin/x\n');
  });

  test('an abort ends the waiting at once', async () => {
    const { where, control, events } = await target(hangs);
    const script = new Script();
    script.run('/bin/sleep');
    const ran = runScript(script, where);
    await expect.poll(() => events).toContain('GettingResults');
    control.abort(new MeshError('aborted', 'the provider is gone'));
    await expect(ran).rejects.toThrow('the provider is gone');
  });

  test('a script runs once, an empty one not at all', async () => {
    const { where, daemon } = await target();
    const script = new Script();
    script.run('/bin/x');
    await runScript(script, where);
    await expect(runScript(script, where)).rejects.toThrow(/runs once/);
    expect(() => script.run('/bin/y')).toThrow(/comes too late/);
    expect(await runScript(new Script(), where)).toEqual([]);
    expect(daemon.count('exec')).toBe(1);
  });

  test('a failure is thrown in at the yield, where a handler can recover; results come back there', async () => {
    const seen: unknown[] = [];
    class Recovering extends Service {
      override async *run(work: WorkContext): ServiceHandler {
        const bad = work.newScript();
        bad.run('/bin/x', ['bad']);
        try {
          yield bad;
        } catch (error) {
          seen.push(error);
        }
        const good = work.newScript();
        good.run('/bin/x', ['good']);
        seen.push((yield good)[0]?.stdout);
      }
    }
    const { golem } = await startGolem([{ id: 'p1', run: ({ args }) => ({ ok: args[0] !== 'bad', stdout: 'out' }) }]);
    const cluster = await golem.runService(Recovering, quick);
    await cluster.ended;
    expect(cluster.instances[0]?.reason?.kind).toBe('finished');
    expect(seen).toEqual([expect.any(CommandExecutionError), 'out']);
  });

  test('the promise of a script that was never yielded ends with its handler', async () => {
    let never: Promise<unknown> | undefined;
    class Forgetful extends Service {
      // biome-ignore lint/correctness/useYield: that is the mistake
      override async *run(work: WorkContext): ServiceHandler {
        never = work.newScript().run('/bin/x');
      }
    }
    const { golem } = await startGolem();
    const cluster = await golem.runService(Forgetful, quick);
    await cluster.ended;
    await expect(never).rejects.toThrow(/its script was not run/);
  });

  test('a handler can ask what has been used, and what it costs', async () => {
    let used: unknown;
    class Asking extends Service {
      // biome-ignore lint/correctness/useYield: it only asks
      override async *run(work: WorkContext): ServiceHandler {
        used = await work.usage();
      }
    }
    const { golem } = await startGolem([{ id: 'p1', prices: [0.25, 0.5, 1] }]);
    const cluster = await golem.runService(Asking, quick);
    await cluster.ended;
    expect(used).toEqual({ counters: { 'golem.usage.duration_sec': 1, 'golem.usage.cpu_sec': 1 }, cost: 1.75 });
  });
});
