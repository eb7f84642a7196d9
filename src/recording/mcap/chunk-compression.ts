import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import { MeshError } from '../../base/errors.js';

/** `none`, or `zstd` where Node has it (22.15 and newer, 23.8 and newer). */
export type McapCompression = 'none' | 'zstd';

export interface ChunkCompressor {
  /** As the chunk names it. */
  readonly name: string;
  compress(records: Buffer): Promise<Buffer>;
}

type ZstdCompress = (
  bytes: Uint8Array,
  options: object,
  done: (error: Error | null, compressed: Buffer) => void,
) => void;

/** Node 20 has none, nor do its types know it. */
const zstd = (zlib as unknown as { readonly zstdCompress?: ZstdCompress }).zstdCompress;

/** Whether this Node can write zstd. Reading it works everywhere. */
export const hasZstd = zstd !== undefined;

/** Errors: `unimplemented` for zstd on a Node that cannot write it. */
export function chunkCompressor(compression: McapCompression): ChunkCompressor | undefined {
  if (compression === 'none') return undefined;
  if (zstd === undefined) {
    throw new MeshError(
      'unimplemented',
      `Node ${process.versions.node} cannot write zstd; use Node 22.15 or newer, or compression "none"`,
    );
  }
  const compress = promisify(zstd);
  return { name: 'zstd', compress: (records) => compress(records, {}) as Promise<Buffer> };
}
