import { randomUUID } from 'node:crypto';
import { type BigIntStats, existsSync } from 'node:fs';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import type { FileIndex } from './event-file-index.js';

const formatName = 'furrow event file index';
const version = 1;

const count = z.number().int().nonnegative();

const schema = z.object({
  format: z.literal(formatName),
  version: z.literal(version),
  size: count,
  /** As text: nanoseconds do not fit a number. */
  mtimeNs: z.string(),
  inode: z.string(),
  anchor: z.object({ clockName: z.string(), offsetS: z.number() }),
  pure: z.boolean(),
  paths: z.array(
    z.object({
      service: z.string(),
      path: z.string(),
      type: z.string(),
      pb: z.string(),
      count,
      payloadBytes: count,
      firstS: z.number(),
      lastS: z.number(),
      firstSequence: z.number(),
      lastSequence: z.number(),
      missing: count,
    }),
  ),
  /** Offset, time before, first and last time, count, paths. */
  blocks: z.array(z.tuple([count, z.number(), z.number(), z.number(), count, z.array(count)])),
  headers: z.array(z.object({ path: count, sequence: z.number(), payloadBytes: count, end: count })),
  damage: z.array(z.object({ offset: count, bytes: count, kind: z.enum(['tail', 'middle']), reason: z.string() })),
});

/** Where the index of an event file is kept. */
function indexFileOf(file: string): string {
  return `${file}.idx`;
}

/** The index that is kept beside a file; undefined when there is none of the file as it is now. */
export async function loadIndex(file: string, stats: BigIntStats): Promise<FileIndex | undefined> {
  try {
    const kept = schema.parse(JSON.parse(await readFile(indexFileOf(file), 'utf8')));
    if (kept.size !== Number(stats.size) || kept.mtimeNs !== `${stats.mtimeNs}` || kept.inode !== `${stats.ino}`) {
      return undefined;
    }
    const blocks = kept.blocks.map(([offset, beforeS, firstS, lastS, count, paths]) => ({
      offset,
      beforeS,
      firstS,
      lastS,
      count,
      paths,
    }));
    const { size, anchor, pure, paths, headers, damage } = kept;
    return { size, anchor, pure, paths, blocks, headers, damage };
  } catch {
    // Whatever is wrong with it, it can be made again.
    return undefined;
  }
}

/** Keeps an index beside its file; where that is not allowed, it is made anew each time. */
export async function saveIndex(file: string, index: FileIndex, stats: BigIntStats): Promise<void> {
  const document: z.input<typeof schema> = {
    format: formatName,
    version,
    size: index.size,
    mtimeNs: `${stats.mtimeNs}`,
    inode: `${stats.ino}`,
    anchor: index.anchor,
    pure: index.pure,
    paths: [...index.paths],
    blocks: index.blocks.map(({ offset, beforeS, firstS, lastS, count, paths }) => [
      offset,
      beforeS,
      firstS,
      lastS,
      count,
      [...paths],
    ]),
    headers: [...index.headers],
    damage: [...index.damage],
  };
  // Whoever reads it meanwhile sees the old one or the new one.
  const draft = `${indexFileOf(file)}.${randomUUID()}`;
  try {
    await writeFile(draft, `${JSON.stringify(document)}\n`, { flag: 'wx' });
    await rename(draft, indexFileOf(file));
  } catch {
    if (existsSync(draft)) await rm(draft, { force: true });
  }
}
