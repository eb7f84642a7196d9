import { MeshError } from '../../src/base/errors.js';
import { parseConfig } from '../../src/config/load.js';
import type { MeshConfig } from '../../src/config/types.js';

/** The configuration of these entries. */
export function parse(configs: readonly unknown[]): MeshConfig {
  return parseConfig(JSON.stringify({ configs }), 'test.json');
}

/** The error of a text that is no configuration. */
export function errorOf(text: string): MeshError {
  try {
    parseConfig(text, 'test.json');
  } catch (error) {
    if (error instanceof MeshError) return error;
    throw error;
  }
  throw new Error('the text is a configuration');
}

/** The faults of these entries, each as `place: message`. */
export function faultsOf(configs: readonly unknown[]): string[] {
  return errorOf(JSON.stringify({ configs })).faults.map(({ at, message }) => `${at}: ${message}`);
}
