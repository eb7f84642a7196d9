import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { testNode } from './node.js';
import { kinds, marker, processes, until } from './processes.js';
import { Requestor, shell } from './requestor.js';

describe.each(kinds)('the program, with %s', (isolation) => {
  const program = fileURLToPath(new URL('../../dist/services/golem-node/main.js', import.meta.url));
  let base: string;
  let child: ChildProcess;
  let requestor: Requestor;

  beforeEach(async () => {
    base = mkdtempSync(join(tmpdir(), 'golem-node-test-'));
    const args = [
      '--isolation',
      isolation,
      '--folder',
      join(base, 'activities'),
      '--config',
      join(base, 'config.json'),
    ];
    writeFileSync(join(base, 'config.json'), JSON.stringify({ providers: [{ name: 'alder', negotiationMs: 0 }] }));
    child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    for await (const chunk of child.stdout!.iterator({ destroyOnReturn: false })) {
      text += String(chunk);
      if (text.split('\n').length > 3) break;
    }
    const value = (name: string) => new RegExp(`export ${name}=(.*)`).exec(text)![1]!;
    requestor = new Requestor({ url: value('YAGNA_API_URL'), appKey: value('YAGNA_APPKEY') });
  });

  afterEach(async () => {
    if (child.exitCode === null && child.signalCode === null) {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    }
    rmSync(base, { recursive: true, force: true });
  });

  it.each(['SIGTERM', 'SIGKILL'] as const)('leaves nothing behind after %s', async (signal) => {
    const { activityId } = await requestor.ready();
    const [daemon, running] = [marker(), marker()];
    await requestor.run(activityId, shell(`setsid sleep ${daemon} > /dev/null 2>&1 &`));
    await requestor.exec(activityId, shell(`sleep ${running}`));
    await until(() => processes(running) > 0);
    expect(readdirSync(join(base, 'activities'))).toHaveLength(1);
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
    await until(() => !existsSync(join(base, 'activities')) && processes(daemon) + processes(running) === 0);
    expect(readdirSync(base)).toEqual(['config.json']);
  });
});

describe('folders that a node could not remove', () => {
  it('are removed by the next one, those of living nodes are not', async () => {
    const base = mkdtempSync(join(tmpdir(), 'golem-node-test-'));
    const folder = (name: string, owner: string) => {
      mkdirSync(join(base, name, 'golem'), { recursive: true });
      writeFileSync(join(base, name, 'owner'), owner);
    };
    folder('activity-dead', '999999999');
    folder('activity-alive', String(process.pid));
    folder('other', '999999999');
    try {
      await using fixture = await testNode({ folder: base });
      expect(fixture.node.isolation).toBe('paths');
      expect(readdirSync(base).sort()).toEqual(['activity-alive', 'other']);
    } finally {
      rmSync(base, { recursive: true, force: true });
    }
  });
});
