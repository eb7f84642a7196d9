import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, test } from 'vitest';
import { EventFileWriter } from '../../src/recording/event-file-writer.js';
import { openRecording } from '../../src/recording/open-recording.js';
import { Player } from '../../src/recording/player/player.js';
import type { PlayerOptions } from '../../src/recording/player/player-options.js';
import type { RecordingReader } from '../../src/recording/recording.js';
import { describeWithPython } from '../interop/python-peer.js';
import { clientAt, gather, registry, until } from '../mesh/running.js';
import { type Line, MemoryRecording, sentBytes } from './memory-recording.js';
import { TestTimer } from './test-timer.js';

const header: Line = {
  path: 'oak/0/header/calibration',
  atS: 0,
  sequence: 0,
  type: 'google.protobuf.StringValue',
  value: 'wide',
};
const frames: readonly Line[] = Array.from({ length: 12 }, (_, index) => ({
  path: 'oak/0/rgb',
  atS: 0.1 * (index + 1),
  sequence: 90 + index,
  type: 'google.protobuf.BytesValue',
  value: Buffer.alloc(300_000, index),
}));

async function play(reader: RecordingReader, options: PlayerOptions) {
  const player = await Player.open(reader, { registry, host: '127.0.0.1', ...options });
  onTestFinished(() => player.close());
  await player.start();
  return player;
}

test('plays the files of a recording, each header once, and seeks in them', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'furrow-player-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const base = join(folder, 'field');
  const lines = [header, ...frames].map((line) => ({ ...line, path: line.path.replace('oak/0', 'oak') }));
  await using writer = await EventFileWriter.open(base, { maxFileMb: 1 });
  for await (const batch of new MemoryRecording(lines).batches()) await writer.write(batch);
  await writer.close();
  expect(writer.files).toHaveLength(3);

  await using reader = await openRecording(base, { registry });
  const timer = new TestTimer();
  const player = await play(reader, { timer, waitFor: 1 });
  const client = clientAt(player.stage.service('oak')!.port, { name: 'oak' });
  const { items } = gather(client.events({ path: '*', overflow: 'block' }));
  const run = player.run();
  timer.letPass(0.75);
  const events = () => items.filter(({ path }) => path !== '/health');
  await until(() => events().length === 8);
  player.seek(0.45);
  timer.letPass(10);
  await run;
  await until(() => events().length === 8 + 1 + 8);
  const expected = [...lines.slice(0, 8), lines[0]!, ...lines.slice(5)].map(sentBytes);
  expect(events().map(({ eventBytes, payload }) => [eventBytes.toString('hex'), payload.length])).toEqual(
    expected.map(({ event, payload }) => [event.toString('hex'), payload.length]),
  );
});

describeWithPython('Python subscribes to what is played', (peer) => {
  const lines: readonly Line[] = [
    { path: 'gps/header/frame', atS: 0, sequence: 0, type: 'google.protobuf.StringValue', value: 'map' },
    ...[1, 2, 3].map((value) => ({ path: 'gps/n', atS: value, sequence: 40 + value, value })),
  ];

  it('and gets the events of the machine, with its stamps, and what is latched', async () => {
    const player = await play(new MemoryRecording(lines), { rate: 0, waitFor: 1 });
    const address = `localhost:${player.stage.service('gps')!.port}`;
    const subscriber = peer.probe('subscribe', { address, path: '/n', query: 'service_name=gps', count: 3 });
    await player.run();
    const events = await subscriber.take('event', 3);
    expect(events.map(({ event, message }) => [event.sequence, message])).toEqual([
      ['41', 1],
      ['42', 2],
      ['43', 3],
    ]);
    expect(events[0]!.event).toMatchObject({
      uri: { authority: 'robot', query: expect.stringMatching(/&service_name=gps$/) },
      timestamps: [
        { semantics: 'device/sample', clockName: 'robot/imu', stamp: 5.999 },
        { semantics: 'service/send', clockName: 'robot/monotonic', stamp: 6 },
        { semantics: 'service/send', clockName: 'robot/system_clock/UTC' },
        // Its own.
        { semantics: 'client/receive' },
      ],
    });
    const late = peer.probe('subscribe', { address, path: '/header/frame', query: 'service_name=gps', count: 1 });
    expect(await late.next('event')).toMatchObject({ message: 'map' });
  });

  it('and comes back for each loop', async () => {
    const player = await play(new MemoryRecording(lines.slice(1)), { rate: 0, waitFor: 1, loop: true });
    const address = `localhost:${player.stage.service('gps')!.port}`;
    const subscriber = peer.probe('subscribe', { address, path: '/n', query: 'service_name=gps', reconnect: true });
    const run = player.run();
    const messages = (await subscriber.take('event', 6)).map(({ message }) => message);
    expect(messages).toEqual([1, 2, 3, 1, 2, 3]);
    player.close();
    await run;
  });
});
