import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type TestNode, testNode } from './node.js';
import { kinds, marker, namespacesWork, processes, until } from './processes.js';
import { run, shell } from './requestor.js';

describe.each(kinds)('a sandbox of %s', (isolation) => {
  let fixture: TestNode;
  let outside: string;

  beforeEach(async () => {
    outside = mkdtempSync(join(tmpdir(), 'golem-outside-'));
    writeFileSync(join(outside, 'secret'), 'a secret');
    fixture = await testNode({ isolation, maxOutputBytes: 100_000 });
  });

  afterEach(async () => {
    await fixture[Symbol.asyncDispose]();
    rmSync(outside, { recursive: true, force: true });
  });

  it('removes its folder and every process with it, daemons included', async () => {
    const { requestor } = fixture;
    const { agreementId, activityId } = await requestor.ready();
    const [attached, daemon] = [marker(), marker()];
    const script = `sleep ${attached} & setsid sleep ${daemon} > /dev/null 2>&1 & sleep 0`;
    expect((await requestor.run(activityId, shell(script))).result).toBe('Ok');
    expect(fixture.folders()).toHaveLength(1);
    await until(() => processes(`sleep\0${daemon}`) === 1);
    await requestor.end(agreementId);
    await until(() => fixture.folders().length === 0 && processes(attached) + processes(daemon) === 0);
  });

  it('is gone when the node is closed', async () => {
    const { activityId } = await fixture.requestor.ready();
    const running = marker();
    await fixture.requestor.exec(activityId, shell(`sleep ${running}`));
    await until(() => processes(running) > 0);
    await fixture.node.close();
    expect(fixture.folders()).toEqual([]);
    await until(() => processes(running) === 0);
  });

  it('ends commands that print too much', async () => {
    const { activityId } = await fixture.requestor.ready();
    const result = await fixture.requestor.run(activityId, shell('yes'));
    expect(result).toMatchObject({
      result: 'Error',
      message: 'the command was killed: it printed more than 100000 bytes',
    });
    expect(result.stdout).toHaveLength(100_000);
    expect((await fixture.requestor.run(activityId, shell('echo fine'))).stdout).toBe('fine\n');
  });

  it('ends commands that run too long, with their children', async () => {
    await using hasty = await testNode({ isolation, runTimeoutMs: 300 });
    const { activityId } = await hasty.requestor.ready();
    const [child, parent] = [marker(), marker()];
    const result = await hasty.requestor.run(activityId, shell(`sleep ${child} & sleep ${parent}`));
    expect(result).toMatchObject({ result: 'Error', message: 'the command was killed: it ran for longer than 0.3 s' });
    await until(() => processes(child) + processes(parent) === 0);
  });

  it('keeps all of what a command printed, though what it left behind holds the pipe open', async () => {
    const { activityId } = await fixture.requestor.ready();
    const left = marker();
    const result = await fixture.requestor.run(activityId, shell(`sleep ${left} & seq 1 15000`));
    expect(result.result).toBe('Ok');
    expect(result.stdout).toBe(Array.from({ length: 15_000 }, (_, index) => `${index + 1}\n`).join(''));
  });

  it('knows nothing of the environment of the node', async () => {
    process.env.FURROW_TEST_SECRET = 'a secret';
    try {
      const { activityId } = await fixture.requestor.ready();
      const { stdout } = await fixture.requestor.run(activityId, shell('env'));
      expect(stdout).toContain('PATH=');
      expect(stdout).not.toContain('FURROW_TEST_SECRET');
    } finally {
      delete process.env.FURROW_TEST_SECRET;
    }
  });

  it('says which entry point there is not', async () => {
    const { activityId } = await fixture.requestor.ready();
    expect((await fixture.requestor.run(activityId, run('/usr/bin/no-such-program'))).result).toBe('Error');
    expect((await fixture.requestor.run(activityId, shell('true'))).result).toBe('Ok');
  });

  describe('with files from the web', () => {
    const web = createServer((_request, response) => response.end('evil'));
    let from: string;

    beforeAll(async () => {
      await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
      from = `http://127.0.0.1:${(web.address() as AddressInfo).port}/evil`;
    });

    afterAll(() => web.close());

    const place = (activityId: string, path: string) =>
      fixture.requestor.run(activityId, { transfer: { from, to: `container:${path}` } });

    it('writes them where it should, and nowhere else', async () => {
      const { requestor } = fixture;
      const { activityId } = await requestor.ready();
      expect((await place(activityId, '/golem/work/deep/down/file')).result).toBe('Ok');
      const path = isolation === 'namespaces' ? '/golem/work/deep/down/file' : 'deep/down/file';
      expect((await requestor.run(activityId, run('cat', path))).stdout).toBe('evil');

      for (const trick of [`/golem/work/../../../../../../../..${outside}/evil`, `${outside}/evil`]) {
        await place(activityId, trick);
        expect(existsSync(join(outside, 'evil'))).toBe(false);
      }
      await requestor.run(activityId, run('ln', '-s', outside, 'link'), run('ln', '-s', join(outside, 'evil'), 'hole'));
      for (const path of ['/golem/work/link/evil', '/golem/work/hole', '/golem/work/link/sub/evil']) {
        const { result } = await place(activityId, path);
        // In namespaces the link leads to a path of the same name inside.
        if (isolation === 'paths') expect(result).toBe('Error');
        expect(readdirSync(outside)).toEqual(['secret']);
      }
      expect((await place(activityId, 'relative')).message).toContain('absolute path');
    });

    it('takes no more than the limit', async () => {
      await using small = await testNode({ isolation, maxTransferBytes: 3 });
      const { activityId } = await small.requestor.ready();
      const result = await small.requestor.run(activityId, { transfer: { from, to: 'container:/golem/work/x' } });
      expect(result).toMatchObject({ result: 'Error', message: expect.stringContaining('larger than 3 bytes') });
    });
  });
});

describe.runIf(namespacesWork)('inside namespaces', () => {
  let fixture: TestNode;

  beforeEach(async () => {
    fixture = await testNode({ isolation: 'namespaces' });
  });

  afterEach(() => fixture[Symbol.asyncDispose]());

  it('absolute paths and shells work, and lead nowhere else', async () => {
    const { requestor } = fixture;
    const { activityId } = await requestor.ready();
    const outside = mkdtempSync(join(tmpdir(), 'golem-outside-'));
    const see = async (script: string) => (await requestor.run(activityId, shell(script))).stdout;
    try {
      expect(await see('echo x > /golem/out/f && cat /golem/out/f; pwd')).toBe('x\n/golem/work\n');
      expect(await see(`ls ${outside} /home /root/.ssh 2> /dev/null | wc -l`)).toBe('0\n');
      expect(await see('touch /usr/x || touch /bin/x || echo read-only')).toContain('read-only');
      expect(await see('ls -d /old 2>/dev/null || echo gone')).toBe('gone\n');
      // Not even with the rights that its first process had can the mounts be undone.
      expect(await see('mount -o remount,bind,rw /usr 2>/dev/null || echo denied')).toBe('denied\n');
      expect(await see('unshare -Urm true 2>/dev/null && mount -t tmpfs x /usr 2>/dev/null || echo denied')).toBe(
        'denied\n',
      );
    } finally {
      rmSync(outside, { recursive: true, force: true });
    }
  });

  it('activities see neither the files nor the processes of each other', async () => {
    const { requestor } = fixture;
    const [one, two] = [await requestor.ready(), await requestor.ready()];
    await requestor.run(one.activityId, shell('echo mine > /golem/work/mine; echo mine > /tmp/mine'));
    const alive = marker();
    await requestor.run(one.activityId, shell(`setsid sleep ${alive} > /dev/null 2>&1 &`));
    const look = 'ls /golem/work /tmp; cat /proc/[0-9]*/cmdline | tr "\\\\0" " "';
    const seen = (await requestor.run(two.activityId, shell(look))).stdout;
    expect(seen).not.toContain('mine');
    expect(seen).not.toContain(alive);
    expect((await requestor.run(one.activityId, shell(look))).stdout).toContain(alive);
  });

  it('an activity whose first process is killed has ended, and says so', async () => {
    const { requestor } = fixture;
    const { activityId } = await requestor.ready();
    const batch = await requestor.exec(activityId, shell('kill -9 -1; kill $(pidof cat)'), shell('true'));
    expect((await requestor.results(activityId, batch)).at(-1)?.result).toBe('Error');
    for (;;) {
      const { state, reason } = (await requestor.state(activityId)).body;
      if (state[0] === 'Ready') continue;
      expect([state[0], reason]).toEqual(['Terminated', 'its first process was killed']);
      break;
    }
  });

  it('an image shows its mounts, read-only', async () => {
    const source = mkdtempSync(join(tmpdir(), 'golem-image-'));
    try {
      mkdirSync(join(source, 'programs'));
      writeFileSync(join(source, 'programs', 'greet'), '#!/bin/sh\necho "hello, $NAME"\n', { mode: 0o755 });
      const mounts = [{ from: join(source, 'programs'), to: '/golem/run' }];
      const hash = 'ab'.repeat(28);
      await using node = await testNode({
        isolation: 'namespaces',
        images: [{ tag: 'test/greeter:latest', hash, mounts, env: { NAME: 'you' }, workdir: '/golem/in' }],
      });
      const demand = { 'golem.srv.comp.task_package': `hash:sha3:${hash}:http://localhost/x.gvmi` };
      const { activityId } = await node.requestor.ready(demand);
      expect((await node.requestor.run(activityId, run('/golem/run/greet'))).stdout).toBe('hello, you\n');
      expect((await node.requestor.run(activityId, shell('pwd; touch /golem/run/x || true'))).stdout).toBe(
        '/golem/in\n',
      );
      expect(readdirSync(join(source, 'programs'))).toEqual(['greet']);
      const answer = await node.requestor.call('GET', '/v1/image/info?tag=test/greeter:latest');
      expect(answer.body.sha3).toBe(hash);
    } finally {
      rmSync(source, { recursive: true, force: true });
    }
  });
});

describe('inside a folder only', () => {
  it('entry points outside of it are refused', async () => {
    await using fixture = await testNode({ isolation: 'paths' });
    const { requestor } = fixture;
    const { activityId } = await requestor.ready();
    const outside = mkdtempSync(join(tmpdir(), 'golem-outside-'));
    try {
      writeFileSync(join(outside, 'program'), '#!/bin/sh\necho ran\n', { mode: 0o755 });
      await requestor.run(activityId, run('ln', '-s', join(outside, 'program'), 'link'));
      for (const entry of [join(outside, 'program'), `/bin/..${outside}/program`, '/golem/work/link', '../../x']) {
        const result = await requestor.run(activityId, run(entry));
        expect(result.result).toBe('Error');
        expect(result.stdout).toBe('');
      }
      await requestor.run(activityId, shell("printf '#!/bin/sh\\necho own\\n' > own; chmod +x own"));
      expect((await requestor.run(activityId, run('/golem/work/own'))).stdout).toBe('own\n');
    } finally {
      rmSync(outside, { recursive: true, force: true });
    }
  });
});
