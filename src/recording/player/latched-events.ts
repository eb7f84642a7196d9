import type { MeshConfig } from '../../config/types.js';
import { MeshEvent } from '../../messages/mesh-event.js';
import type { TypeRegistry } from '../../messages/registry.js';
import { isHeader } from '../event-file-format.js';
import { pathKey, pathMatcher } from '../path-patterns.js';
import type { ReadOptions, RecordedEvent, RecordedPath, RecordingReader } from '../recording.js';

/**
 * Tells which paths keep their last event: headers, those whose `latch` the configuration sets, and those that match one
 * of the patterns over `service/path`.
 */
export function latchRule(
  config: MeshConfig | undefined,
  patterns: readonly string[],
): (path: Pick<RecordedPath, 'service' | 'path'>) => boolean {
  const declared = new Set(
    config?.services.flatMap(({ name, published }) =>
      published.filter(({ latch }) => latch).map(({ path }) => pathKey({ service: name, path })),
    ),
  );
  const isNamed = pathMatcher(patterns);
  return (path) => isHeader(path.path) || declared.has(pathKey(path)) || isNamed(pathKey(path));
}

/** What these paths would have kept at a position: the last event of each before it, in the order of the recording. */
export async function latchedBefore(
  reader: RecordingReader,
  paths: readonly RecordedPath[],
  { endS, signal, registry }: Required<Pick<ReadOptions, 'endS' | 'signal'>> & { readonly registry: TypeRegistry },
): Promise<readonly RecordedEvent[]> {
  const decoder = { registry, unknownType: () => undefined };
  // Bytes of their own, because those of a batch are only valid until the next one.
  const kept = ({ event, timeS }: RecordedEvent): RecordedEvent => ({
    event: new MeshEvent(Buffer.from(event.eventBytes), Buffer.from(event.payload), decoder),
    timeS,
  });
  if (paths.length === 0 || endS <= 0) return [];
  const last = new Map<string, RecordedEvent>();
  for await (const batch of reader.batches({ endS, paths: paths.map(pathKey), signal })) {
    const newest = new Map(batch.map((recorded) => [pathKey(recorded.event), recorded]));
    for (const [name, recorded] of newest) {
      last.set(name, kept(recorded));
    }
  }
  return [...last.values()].sort((one, other) => one.timeS - other.timeS);
}
