import { MeshError } from '../base/errors.js';
import { anyPath } from '../messages/uri.js';
import { versionHeader } from '../wire/http2-headers.js';
import type { Headers } from '../wire/types.js';

/*
 * What two furrow peers say to each other beyond farm-ng's methods. All of it travels in gRPC metadata, which
 * farm-ng's programs ignore; nothing is added to a message.
 *
 *   furrow-version      both ways          the library's version, for messages about skew
 *   furrow-epoch        from the service   changes with every start, so a client knows a restart from a reconnect
 *   furrow-paths        from the client    the prefix (`/gps/*`) of a subscription to `*`, which farm-ng lacks
 *   furrow-resume-bin   from the client    JSON {epoch, next: {path: sequence}}: what it wants first of each path; with
 *                                          an empty epoch, that of no service, it was not here before and begins with
 *                                          what is held
 *   furrow-first-bin    from the service   JSON {path: sequence}: the first that this stream can bring of each path;
 *                                          of a path that the client did not resume, the first from which on nothing
 *                                          is left out: the first live one, or an earlier one that is held or latched
 *   furrow-replay       from the service   `1`: it plays a recording, whose sequences begin anywhere in each epoch;
 *                                          there is no furrow-first-bin then
 *
 * In both lists of sequences `*` stands for every path that is not listed; a list that was cut to fit lacks it.
 */
const epochHeader = 'furrow-epoch';
const resumeHeader = 'furrow-resume-bin';
const firstHeader = 'furrow-first-bin';
const pathsHeader = 'furrow-paths';
const replayHeader = 'furrow-replay';

// gRPC peers refuse more than 8 KiB of headers; base64 adds a third.
const maxPositionBytes = 4096;

/** Path → the sequence that comes next on it. */
export type Positions = ReadonlyMap<string, number>;

/** Where a client that comes back wants to go on. */
export interface Resume {
  readonly epoch: string;
  readonly next: Positions;
}

/** What a client says that comes for the first time and wants what is held of every path. */
export const fromHistory: Resume = { epoch: '', next: new Map([[anyPath, 0]]) };

export function versionHeaders(version: string): Headers {
  return { [versionHeader]: version };
}

export function peerVersion(headers: Headers): string | undefined {
  return text(headers, versionHeader);
}

export function epochOf(headers: Headers): string | undefined {
  return text(headers, epochHeader);
}

export function resumeHeaders(resume: Resume): Headers {
  return { [resumeHeader]: encode({ epoch: resume.epoch, next: fitting(resume.next) }) };
}

/** Errors: `invalid-argument` when the header is there and is not what a furrow client sends. */
export function resumeOf(headers: Headers): Resume | undefined {
  const content = decode(headers, resumeHeader);
  if (content === undefined) return undefined;
  const { epoch, next } = content as { epoch?: unknown; next?: unknown };
  if (typeof epoch !== 'string') throw malformed(resumeHeader);
  return { epoch, next: positions(next, resumeHeader) };
}

export function streamHeaders(version: string, epoch: string, first: Positions | 'replay'): Headers {
  const start: Headers = first === 'replay' ? { [replayHeader]: '1' } : { [firstHeader]: encode(fitting(first)) };
  return { [versionHeader]: version, [epochHeader]: epoch, ...start };
}

/** Whether the service plays a recording: what a former epoch had says nothing of this one. */
export function isReplay(headers: Headers): boolean {
  return text(headers, replayHeader) === '1';
}

export function firstOf(headers: Headers): Positions {
  const content = decode(headers, firstHeader);
  return content === undefined ? new Map() : positions(content, firstHeader);
}

/** A prefix travels beside the `*` that a farm-ng service understands. */
export function prefixHeaders(pattern: string): Headers {
  return { [pathsHeader]: encodeURI(pattern) };
}

export function prefixOf(headers: Headers): string | undefined {
  const value = text(headers, pathsHeader);
  if (value === undefined) return undefined;
  try {
    const pattern = decodeURI(value);
    if (pattern.startsWith('/') && pattern.endsWith('*')) return pattern;
  } catch {
    // Said below, with the same words as for a pattern of another shape.
  }
  throw malformed(pathsHeader);
}

function text(headers: Headers, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' ? value : undefined;
}

function encode(content: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(content));
}

/** As many positions as headers may hold, the last ones first: those paths were heard most recently. */
function fitting(next: Positions): Record<string, number> {
  const kept: [string, number][] = [];
  let bytes = 0;
  for (const entry of [...next].reverse()) {
    bytes += Buffer.byteLength(entry[0]) + 24;
    if (bytes > maxPositionBytes) return Object.fromEntries(kept.filter(([path]) => path !== anyPath));
    kept.push(entry);
  }
  return Object.fromEntries(kept.reverse());
}

function decode(headers: Headers, name: string): object | undefined {
  const value = headers[name];
  if (value === undefined || typeof value === 'string') return undefined;
  try {
    const content: unknown = JSON.parse(Buffer.from(value).toString('utf8'));
    if (typeof content === 'object' && content !== null) return content;
  } catch {
    // Said below, with the same words as for JSON of another shape.
  }
  throw malformed(name);
}

function positions(content: unknown, name: string): Positions {
  if (typeof content !== 'object' || content === null) throw malformed(name);
  const entries = Object.entries(content);
  if (entries.some(([, sequence]) => !Number.isSafeInteger(sequence) || sequence < 0)) throw malformed(name);
  return new Map(entries);
}

function malformed(name: string): MeshError {
  return new MeshError('invalid-argument', `the header ${name} is not what a furrow peer sends`);
}
