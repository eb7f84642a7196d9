import { createRequire } from 'node:module';
import type * as Sdk from '@golem-sdk/golem-js';

/**
 * golem-js, loaded as CommonJS: the ESM build resolves its binary codec wrongly and ends the process at the first
 * download. This is the only file that loads it.
 */
const require = createRequire(import.meta.url);

export type YagnaApi = Sdk.YagnaApi;

/** The codec of the daemon's file-transfer socket. */
export interface Flexbuffers {
  encode(value: unknown): Uint8Array;
  toObject(buffer: ArrayBuffer): unknown;
}

export function loadSdk(): typeof Sdk {
  return require('@golem-sdk/golem-js') as typeof Sdk;
}

export function loadFlexbuffers(): Flexbuffers {
  // A dependency of golem-js, not ours: resolved from where golem-js stands.
  const fromSdk = createRequire(require.resolve('@golem-sdk/golem-js'));
  return fromSdk('flatbuffers/js/flexbuffers.js') as Flexbuffers;
}
