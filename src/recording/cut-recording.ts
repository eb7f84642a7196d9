import { MeshError } from '../base/errors.js';
import { MeshEvent } from '../messages/mesh-event.js';
import type { TypeRegistry } from '../messages/registry.js';
import { isHeader } from './event-file-format.js';
import { pathKey, pathMatcher } from './path-patterns.js';
import type { ReadOptions, RecordedEvent, RecordingReader, RecordingWriter } from './recording.js';
import { RepeatedHeaders } from './repeated-headers.js';

export interface CutOptions extends ReadOptions {
  readonly registry: TypeRegistry;
  /**
   * Whether the last event of each header path before the start is written first, as of the time of the start.
   * Default true.
   */
  readonly headers?: boolean;
}

/**
 * Copies the part of a recording that is wanted; gives the number of events. The writer stays open.
 * Errors: `invalid-argument` for an end that is not behind the start; those of reading and writing.
 */
export async function cutRecording(
  recording: RecordingReader,
  writer: RecordingWriter,
  options: CutOptions,
): Promise<number> {
  const { headers = true, registry: _, ...part } = options;
  const { startS = 0 } = part;
  checkRange(startS, part.endS);
  let count = 0;
  if (headers && startS > 0) {
    const before = await headersBefore(recording, options);
    if (before.length > 0) await writer.write(before);
    count += before.length;
  }
  for await (const batch of recording.batches({ ...part, lend: true })) {
    await writer.write(batch);
    count += batch.length;
  }
  return count;
}

/** Errors: `invalid-argument` for an end that is not behind the start. */
export function checkRange(startS = 0, endS = Number.POSITIVE_INFINITY): void {
  if (endS > startS) return;
  throw new MeshError('invalid-argument', `the end, ${endS} s, is not behind the start, ${startS} s`);
}

async function headersBefore(recording: RecordingReader, options: CutOptions): Promise<RecordedEvent[]> {
  const { startS = 0, paths, registry, signal } = options;
  const { paths: all, firstS } = await recording.summary(signal === undefined ? {} : { signal });
  const matches = pathMatcher(paths);
  const wanted = all.filter((path) => isHeader(path.path)).map(pathKey);
  const chosen = wanted.filter(matches);
  if (chosen.length === 0) return [];
  const headers = new RepeatedHeaders();
  for await (const batch of recording.batches({ ...(signal && { signal }), endS: startS, paths: chosen, lend: true })) {
    for (const { event, timeS } of batch) headers.keep(event, timeS);
  }
  const timeS = firstS + startS;
  const decoder = { registry, unknownType: () => undefined };
  return Array.from(headers.at(timeS), ({ eventBytes, payload }) => ({
    event: new MeshEvent(eventBytes, payload, decoder),
    timeS,
  }));
}
