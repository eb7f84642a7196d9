import { type FileHandle, open, rm } from 'node:fs/promises';

const blockBytes = 1 << 20;
const syncBytes = 16e6;

/**
 * Lets the system's cache use and free as much memory as what is measured next will need of it. A virtual machine whose
 * host takes free memory back pays some ten microseconds for the first use of each page, which would be measured in its
 * place, in one run and not in the next.
 */
export async function useMemory(file: string, bytes: number): Promise<void> {
  await writeBlocks(file, bytes);
  await rm(file);
}

/** Writes to the disk as fast as it goes: in blocks, which are brought to the disk meanwhile. */
export async function writeBlocks(file: string, bytes: number): Promise<void> {
  const target = new SyncedFile(await open(file, 'w'));
  const block = Buffer.alloc(blockBytes, 0x5a);
  for (let left = bytes; left > 0; left -= block.length)
    await target.write(block.subarray(0, Math.min(left, blockBytes)));
  await target.close();
}

/** Reads all of `from` and writes `bytes` of it, more than once if need be; a block is read while one is written. */
export async function copyBlocks(from: string, to: string, bytes: number): Promise<void> {
  const source = await open(from, 'r');
  const target = new SyncedFile(await open(to, 'w'));
  const { size } = await source.stat();
  const blocks = [Buffer.alloc(blockBytes), Buffer.alloc(blockBytes)] as const;
  const turns = Math.ceil(Math.max(size, bytes) / blockBytes);
  const read = (turn: number) => source.read(blocks[turn % 2]!, 0, blockBytes, (turn * blockBytes) % size);
  let next = read(0);
  for (let turn = 0, left = bytes; turn < turns; turn++, left -= blockBytes) {
    const { buffer } = await next;
    next = read(turn + 1);
    if (left > 0) await target.write(buffer.subarray(0, Math.min(left, blockBytes)));
  }
  await next;
  await target.close();
  await source.close();
}

class SyncedFile {
  private syncing: Promise<void> | undefined;
  private unsynced = 0;

  constructor(private readonly handle: FileHandle) {}

  async write(bytes: Buffer): Promise<void> {
    await this.handle.write(bytes);
    this.unsynced += bytes.length;
    if (this.unsynced < syncBytes || this.syncing !== undefined) return;
    this.unsynced = 0;
    this.syncing = this.handle.datasync().then(() => {
      this.syncing = undefined;
    });
  }

  async close(): Promise<void> {
    await this.syncing;
    await this.handle.datasync();
    await this.handle.close();
  }
}
