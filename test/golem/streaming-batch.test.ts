import { expect, test } from 'vitest';
import { MeshError } from '../../src/base/errors.js';
import { type BatchEvent, PollingBatch, StreamingBatch } from '../../src/golem/batch.js';
import type { ExeResult, GolemDaemon, RuntimeEvent } from '../../src/golem/daemon.js';

const date = '2026-01-01T00:00:00Z';
const limits = { activityId: 'activity', batchId: 'batch', size: 3, timeoutMs: 10_000, firstBackoffMs: 1 };

function daemonOf(activity: Partial<GolemDaemon['activity']>): GolemDaemon {
  return { activity } as unknown as GolemDaemon;
}

async function eventsOf(batch: AsyncIterable<BatchEvent>): Promise<BatchEvent[]> {
  const events: BatchEvent[] = [];
  for await (const event of batch) events.push(event);
  return events;
}

test('a streamed batch ends at its first command that fails, though the stream then ends in a generic error', async () => {
  async function* stream(): AsyncGenerator<RuntimeEvent> {
    yield { kind: 'started', index: 0, date } as RuntimeEvent;
    yield { kind: 'stderr', index: 0, date, text: 'no such file' } as RuntimeEvent;
    yield { kind: 'finished', index: 0, date, returnCode: 2, message: '' } as RuntimeEvent;
    throw new MeshError('internal', 'the stream ended in an error');
  }
  const batch = new StreamingBatch({ ...limits, daemon: daemonOf({ batchEvents: () => stream() }) });
  const events = await eventsOf(batch);
  expect(events.at(-1)).toEqual({
    kind: 'result',
    result: {
      index: 0,
      date,
      ok: false,
      message: 'it ended with code 2',
      isBatchFinished: true,
      stdout: '',
      stderr: 'no such file',
    },
  });
});

test('a daemon that does not hold its long polls is not asked in a tight loop', async () => {
  let asked = 0;
  const result: ExeResult = { index: 2, date, ok: true, stdout: '', stderr: '', message: '', isBatchFinished: true };
  const until = performance.now() + 400;
  const daemon = daemonOf({
    batchResults: async () => {
      asked += 1;
      return performance.now() < until ? [] : [result];
    },
  });
  expect(await eventsOf(new PollingBatch({ ...limits, daemon }))).toEqual([{ kind: 'result', result }]);
  // Without a pause it would be asked as often as the event loop turns, some hundred thousand times.
  expect(asked).toBeLessThan(50);
});
