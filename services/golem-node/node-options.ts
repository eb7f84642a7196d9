import { readFileSync } from 'node:fs';
import { isRecord } from './exe-script.js';
import type { GolemNodeOptions } from './start-golem-node.js';

const optionNames = [
  'host',
  'port',
  'providers',
  'images',
  'faults',
  'folder',
  'isolation',
  'runTimeoutMs',
  'maxOutputBytes',
  'maxTransferBytes',
  'debitNoteIntervalMs',
  'idleAgreementMs',
  'funds',
] as const satisfies readonly (keyof GolemNodeOptions)[];

/** Options of the node from a JSON file. Errors: what cannot be read, and keys that are no options. */
export function readNodeOptions(file: string): GolemNodeOptions {
  const options = JSON.parse(readFileSync(file, 'utf8')) as unknown;
  if (!isRecord(options)) throw new Error(`${file} must hold an object of options`);
  for (const key of Object.keys(options)) {
    if (!(optionNames as readonly string[]).includes(key)) {
      throw new Error(`${file}: "${key}" is none of ${optionNames.join(', ')}`);
    }
  }
  return options;
}
