import { basename } from 'node:path';

/*
 * An event file is records, one behind the other, and nothing else:
 * <uint32 little-endian length of Event><Event><payload of Event.payload_length bytes>.
 * A recording is BASE.0000.bin, BASE.0001.bin and so on.
 */

/** Bytes of the length before each event. */
export const lengthBytes = 4;

/** An Event is a URI, some stamps and two numbers: a longer one is damage. */
export const maxEventBytes = 1 << 20;

/** A longer payload is damage. */
export const maxPayloadBytes = 2 ** 30;

/** Events of these paths are repeated at the start of each file of a recording. */
const headerPrefix = '/header';

/** Whether events of the path are repeated at the start of each file. */
export function isHeader(path: string): boolean {
  return path.startsWith(headerPrefix);
}

/** The file of a recording: `BASE.0003.bin` for part 3. */
export function partFile(base: string, part: number): string {
  return `${base}.${String(part).padStart(4, '0')}.bin`;
}

/** What `partFile` made the name from; undefined for other names. */
export function partOf(file: string): { readonly base: string; readonly part: number } | undefined {
  const match = /^(.*)\.(\d{4,})\.bin$/s.exec(file);
  if (match === null || basename(match[1]!) === '') return undefined;
  return { base: match[1]!, part: Number(match[2]) };
}

/** The base that a person means who writes `BASE`, `BASE.bin` or `BASE.0000.bin`. */
export function baseOf(file: string): string {
  return partOf(file)?.base ?? file.replace(/\.bin$/, '');
}
