import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { EventFileReader } from '../../src/recording/event-file-reader.js';
import type { ReadOptions, RecordedEvent, RecordingReader } from '../../src/recording/recording.js';
import { registry } from './samples.js';

export { bootS, registry, type Sample, sample, samples } from './samples.js';

/** The record of an event as the contract has it. */
export function record({ event }: RecordedEvent): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(event.eventBytes.length);
  return Buffer.concat([length, event.eventBytes, event.payload]);
}

/** A folder that goes with the test. */
export async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'furrow-recording-'));
  onTestFinished(() => rm(made, { recursive: true, force: true }));
  return made;
}

export function reader(...files: string[]): EventFileReader {
  return new EventFileReader(files, { registry });
}

export async function readAll(recording: RecordingReader, options: ReadOptions = {}): Promise<RecordedEvent[]> {
  const events: RecordedEvent[] = [];
  for await (const batch of recording.batches(options)) events.push(...batch);
  return events;
}

/** What tells two recorded events apart, as text. */
export function told({ event }: RecordedEvent): string {
  return `${event.eventBytes.toString('hex')} ${event.payload.toString('hex')}`;
}

export function sequences(events: readonly RecordedEvent[]): number[] {
  return events.map(({ event }) => event.sequence);
}
