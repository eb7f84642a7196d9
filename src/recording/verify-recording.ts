import { MeshError } from '../base/errors.js';
import { pathKey } from './path-patterns.js';
import type { Damage, ReadOptions, RecordedEvent, RecordedPath, RecordingReader } from './recording.js';
import { withoutStacks } from './without-stacks.js';

/** An event whose record is whole, and which is wrong all the same. */
export interface WrongEvent {
  readonly service: string;
  readonly path: string;
  readonly sequence: number;
  /** Unix seconds. */
  readonly timeS: number;
  readonly reason: string;
}

/** What is wrong with a recording, and what was looked at. */
export interface Verification {
  readonly files: readonly string[];
  readonly events: number;
  readonly damage: readonly Damage[];
  /** The first 1000 of them. */
  readonly wrong: readonly WrongEvent[];
  readonly wrongCount: number;
  /** Paths that lack events between their first and last sequence. */
  readonly gaps: readonly RecordedPath[];
  /** Types that the registry does not know; their payloads were not decoded. */
  readonly unknownTypes: readonly string[];
  /** Whether all records are whole and all events right. Gaps are no fault of the file. */
  readonly ok: boolean;
}

const mostWrong = 1000;

/**
 * Reads every event of a recording and decodes its payload where its type is known. The recording has to be opened with
 * a registry of its types. Errors: those of reading.
 */
export async function verifyRecording(
  recording: RecordingReader,
  options: Pick<ReadOptions, 'signal' | 'onProgress'> = {},
): Promise<Verification> {
  const { files, damage, paths } = await recording.summary(options.signal && { signal: options.signal });
  const unknownTypes = new Set<string>();
  const wrong: WrongEvent[] = [];
  let events = 0;
  let wrongCount = 0;
  for await (const batch of recording.batches({ ...options, lend: true })) {
    events += batch.length;
    withoutStacks(() => {
      for (const recorded of batch) {
        const reason = faultOf(recorded, unknownTypes);
        if (reason === undefined) continue;
        wrongCount += 1;
        const { service, path, sequence } = recorded.event;
        if (wrong.length < mostWrong) wrong.push({ service, path, sequence, timeS: recorded.timeS, reason });
      }
    });
  }
  return {
    files,
    events,
    damage,
    wrong,
    wrongCount,
    gaps: paths.filter(({ missing }) => missing > 0),
    unknownTypes: [...unknownTypes].sort(),
    ok: damage.length === 0 && wrongCount === 0,
  };
}

function faultOf({ event, timeS }: RecordedEvent, unknownTypes: Set<string>): string | undefined {
  try {
    // What is not decoded comes as the very bytes.
    if (event.message === event.payload && event.type !== '') unknownTypes.add(event.type);
    const { timestamps } = event;
    if (!Number.isFinite(timeS)) return `its time is ${timeS}`;
    const odd = timestamps.find(({ stamp }) => !Number.isFinite(stamp));
    return odd === undefined ? undefined : `its stamp ${odd.semantics} of ${odd.clockName} is ${odd.stamp}`;
  } catch (error) {
    return MeshError.from(error).message;
  }
}

/** `agent-1/sample: 3 of 100 events are missing`. */
export function gapText(path: RecordedPath): string {
  const all = path.count + path.missing;
  return `${pathKey(path)}: ${path.missing} of ${all} events between its first and last are missing`;
}
