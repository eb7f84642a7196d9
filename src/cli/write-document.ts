import { writeFileSync } from 'node:fs';
import { MeshError } from '../base/errors.js';
import type { Output } from './output.js';

/** Writes a text to `file`, and says so, or to standard output. Errors: `invalid-argument` for a file that cannot be written. */
export async function writeDocument(out: Output, text: string, file: string | undefined): Promise<void> {
  if (file === undefined) return out.line(text.trimEnd());
  try {
    writeFileSync(file, text);
  } catch (error) {
    throw new MeshError('invalid-argument', `--output ${file}: ${(error as Error).message}`, { cause: error });
  }
  out.note(`wrote ${file}`, { file });
}
