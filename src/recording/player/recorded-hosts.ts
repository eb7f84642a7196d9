import type { RecordedPath, RecordingReader } from '../recording.js';

// Every service says something within its first seconds, its `/health` if nothing else.
const mostEvents = 20_000;

/** The machine that each service ran on, as the URIs of its first events name it. */
export async function recordedHosts(
  reader: RecordingReader,
  paths: readonly RecordedPath[],
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<string, string>> {
  const wanted = new Set(paths.map(({ service }) => service));
  const hosts = new Map<string, string>();
  let events = 0;
  for await (const batch of reader.batches(signal === undefined ? {} : { signal })) {
    for (const { event } of batch) {
      if (wanted.delete(event.service)) hosts.set(event.service, event.uri.authority);
    }
    events += batch.length;
    if (wanted.size === 0 || events >= mostEvents) break;
  }
  return hosts;
}
