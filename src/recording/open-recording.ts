import type { Stats } from 'node:fs';
import { open, readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { MeshError } from '../base/errors.js';
import { didYouMean } from '../base/suggest.js';
import type { TypeRegistry } from '../messages/registry.js';
import { partOf } from './event-file-format.js';
import { EventFileReader } from './event-file-reader.js';
import type { RecordingReader } from './recording.js';
import { diskError } from './recording-disk.js';
import { throwIfAborted } from './throw-if-aborted.js';

export interface OpenRecordingOptions {
  /** Decodes the payloads. */
  readonly registry: TypeRegistry;
  /** Told of each look at a payload of a type that the registry does not know. */
  readonly unknownType?: (type: string) => void;
  readonly signal?: AbortSignal;
}

/** The first bytes of every MCAP file. Source: https://mcap.dev/spec#magic */
const mcapMagic = Buffer.from('\x89MCAP0\r\n', 'latin1');

/**
 * Opens a recording: an event file (`.bin`) or an MCAP file, told apart by their first bytes. `BASE` is all of
 * `BASE.0000.bin`, `BASE.0001.bin` …; several files are read one behind the other, as parts of one recording.
 *
 * Errors: `not-found` for a file that is not there, `invalid-argument` for files of two formats, `permission-denied`,
 * `internal`, `cancelled`; for MCAP files also those of `McapReader.open`.
 */
export async function openRecording(
  files: string | readonly string[],
  options: OpenRecordingOptions,
): Promise<RecordingReader> {
  throwIfAborted(options.signal);
  const named = typeof files === 'string' ? [files] : files;
  if (named.length === 0) throw new MeshError('invalid-argument', 'no file of a recording is named');
  const parts = (await Promise.all(named.map(recordingFiles))).flat();
  const formats = await Promise.all(parts.map(formatOf));
  const other = formats.findIndex((format) => format !== formats[0]);
  if (other > 0) {
    throw new MeshError(
      'invalid-argument',
      `${parts[0]} is ${formats[0]} and ${parts[other]} is ${formats[other]}; open one format at a time`,
    );
  }
  if (formats[0] === 'bin') return new EventFileReader(parts, options);
  // Whoever has event files does not pay for loading MCAP.
  const { McapReader } = await import('./mcap/mcap-reader.js');
  return McapReader.open(parts, options);
}

/** The files that a person means by a name: the file itself, or those that a recorder has made of a base, in order. */
export async function recordingFiles(name: string): Promise<readonly string[]> {
  const found = await statOf(name);
  if (found !== undefined && !found.isDirectory()) return [name];
  const directory = dirname(name);
  const present = await readdir(directory).catch(() => []);
  const parts = present
    .map((file) => ({ file, part: partOf(file) }))
    .filter(({ part }) => part?.base === basename(name))
    .sort((one, other) => one.part!.part - other.part!.part)
    .map(({ file }) => join(directory, file));
  if (parts.length > 0) return parts;
  const recordings = present.flatMap((file) => partOf(file)?.base ?? (/\.(bin|mcap)$/.test(file) ? file : []));
  const hint = didYouMean(basename(name), [...new Set(recordings)]);
  const what = found === undefined ? 'there is no recording of that name' : 'that is a directory';
  throw new MeshError('not-found', `${name}: ${what}${hint || '; name a file or a base'}`);
}

async function formatOf(file: string): Promise<'bin' | 'mcap'> {
  try {
    const handle = await open(file, 'r');
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(mcapMagic.length), 0, mcapMagic.length, 0);
      // A file whose first bytes are damaged is what its name says.
      return buffer.equals(mcapMagic) || (bytesRead > 0 && file.endsWith('.mcap')) ? 'mcap' : 'bin';
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw diskError(error, `read ${file}`);
  }
}

async function statOf(name: string): Promise<Stats | undefined> {
  try {
    return await stat(name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw diskError(error, `read ${name}`);
  }
}
