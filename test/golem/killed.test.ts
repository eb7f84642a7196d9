import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Golem } from 'furrow/golem';
import { expect, onTestFinished, test } from 'vitest';
import { startGolemNode } from '../../services/golem-node/start-golem-node.js';
import { testProgram } from '../process.js';

test('a requestor killed by SIGKILL: the next one ends its agreements, pays them and frees the money', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'golem-killed-'));
  const node = await startGolemNode({ folder: join(folder, 'activities') });
  onTestFinished(async () => {
    await node.close();
    await rm(folder, { recursive: true, force: true });
  });
  const stateDir = join(folder, 'state');
  const env = { ...process.env, YAGNA_API_URL: node.url, YAGNA_APPKEY: node.appKey };
  const child = spawn(process.execPath, [testProgram('golem/requestor-to-kill'), stateDir], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [line] = await once(createInterface(child.stdout), 'line');
  expect(line).toBe('running');
  expect(readdirSync(stateDir)).toHaveLength(1);
  child.kill('SIGKILL');
  await once(child, 'exit');

  const ask = async (path: string) => {
    const response = await fetch(`${node.url}${path}`, { headers: { Authorization: `Bearer ${node.appKey}` } });
    return (await response.json()) as Record<string, unknown>[];
  };
  expect(await ask('/payment-api/v1/allocations')).toHaveLength(1);

  await using next = await Golem.open({ budget: 1, stateDir, yagna: { url: node.url, appKey: node.appKey } });
  const [report] = await next.recovered;
  expect(report?.error).toBeUndefined();
  expect(report?.terminatedAgreements).toHaveLength(2);
  expect(report?.missingInvoices).toEqual([]);
  expect(await ask('/payment-api/v1/allocations')).toEqual([]);
  expect(await ask('/market-api/v1/demands')).toEqual([]);
  const invoices = await ask('/payment-api/v1/invoices');
  expect(invoices.map(({ status }) => status)).not.toContain('RECEIVED');
  expect(invoices).toHaveLength(2);
  expect(readdirSync(stateDir)).toEqual([]);
});
