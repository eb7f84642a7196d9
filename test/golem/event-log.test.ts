import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  enableDefaultLogger,
  type GolemEvent,
  logEvent,
  logEventRepr,
  logSummary,
  Service,
  SummaryLogger,
} from 'furrow/golem';
import { describe, expect, onTestFinished, test } from 'vitest';
import { MeshError } from '../../src/base/errors.js';
import { allAre, quick, startGolem, until } from './start-golem.js';

const provider = { id: '0xabcdef', name: 'meadow' };
const rejected: GolemEvent = {
  type: 'AgreementRejected',
  timeMs: 0,
  jobId: 'j',
  agreementId: 'agr-1234567890',
  provider,
  reason: 'busy',
};
const failed: GolemEvent = {
  type: 'PaymentFailed',
  timeMs: 0,
  agreementId: 'agr-1',
  provider,
  error: new MeshError('aborted', 'no\nmoney'),
};

/** A whole life in events. */
async function life(): Promise<GolemEvent[]> {
  const { golem, events } = await startGolem([{ id: 'p1', amount: '0.002' }]);
  const cluster = await golem.runService(class Plain extends Service {}, quick);
  await until(cluster, allAre('running'));
  await golem.close();
  return events;
}

describe('logging events', () => {
  test('in words, one line each', () => {
    const lines: string[] = [];
    for (const event of [rejected, failed]) logEvent(event, (line) => lines.push(line));
    expect(lines[0]).toBe(
      '[1970-01-01T00:00:00.000Z] Agreement rejected · provider meadow · reason: busy · agreement agr-12345678',
    );
    expect(lines[1]).toContain('error: no ⏎ money');
  });

  test('completely, with the error', () => {
    const lines: string[] = [];
    logEventRepr(failed, (line) => lines.push(line));
    expect(lines[0]).toMatch(/PaymentFailed \{.*agr-1.*0xabcdef.*MeshError/s);
  });

  test('each event of a life has words of its own', async () => {
    const events = await life();
    const lines = events.map((event) => {
      let written = '';
      logEvent(event, (line) => {
        written = line;
      });
      return written;
    });
    expect(lines.every((line) => line.length > 30 && !line.includes('\n') && !line.includes('undefined'))).toBe(true);
    expect(lines.join('\n')).toContain('Plain-1: starting → running');
  });

  test('a summary adds up, and hands every event on first', async () => {
    const events = await life();
    const handed: string[] = [];
    const lines: string[] = [];
    const consume = logSummary((event) => handed.push(event.type), { write: (line) => lines.push(line) });
    const logger = new SummaryLogger({ write: () => undefined });
    for (const event of events) {
      consume(event);
      logger.log(event);
    }
    expect(handed).toEqual(events.map(({ type }) => type));
    expect(logger.summary).toMatchObject({
      confirmedAgreements: 1,
      totalCost: '0.002',
      providers: [{ name: 'name of p1', agreements: 1, scripts: 2, failures: 0, cost: '0.002' }],
    });
    expect(lines).toContain('Invoice of 0.002 GLM by provider name of p1 accepted');
    expect(lines.at(-1)).toMatch(/name of p1: 1 agreements, 2 scripts, 0 failed, 0.002 GLM/);
  });

  test('the default logger is readable on stderr and complete in its file', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'golem-log-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const lines: string[] = [];
    const logFile = join(folder, 'log');
    const consume = enableDefaultLogger({ logFile, write: (line) => lines.push(line) });
    consume(rejected);
    consume({ type: 'ProposalReceived', timeMs: 0, proposalId: 'x', provider });
    expect(lines).toHaveLength(1);
    expect((await readFile(logFile, 'utf8')).trim().split('\n')).toHaveLength(2);
  });

  test('a consumer that fails is logged, and ends nothing', async () => {
    const errors: string[] = [];
    const { golem } = await startGolem(undefined, {
      eventConsumer: () => {
        throw new Error('disk full');
      },
      logger: { warn: () => undefined, error: (line) => void errors.push(line) },
    });
    const cluster = await golem.runService(class Plain extends Service {}, quick);
    await until(cluster, allAre('running'));
    expect(errors[0]).toMatch(/disk full/);
  });

  test('the events of a cluster are its own, by its id', async () => {
    const { golem } = await startGolem();
    const cluster = await golem.runService(class Plain extends Service {}, quick);
    const own: GolemEvent[] = [];
    cluster.events$.subscribe((event) => own.push(event));
    await until(cluster, allAre('running'));
    expect(own.length).toBeGreaterThan(3);
    expect(new Set(own.map(({ jobId }) => jobId))).toEqual(new Set([cluster.id]));
  });
});
