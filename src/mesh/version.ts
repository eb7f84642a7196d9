import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { shippedProtos } from '../messages/proto-directory.js';

/** The version in furrow's package.json. */
export function furrowVersion(): string {
  const { version } = JSON.parse(readFileSync(join(shippedProtos(), '..', 'package.json'), 'utf8')) as {
    version: string;
  };
  return version;
}
