import { MeshError, type MeshEvent } from 'furrow';

const most = 1000;
const mostBytes = 64_000_000;

/** The header events that each recording begins with, the last one of each path. */
export class Headers {
  private readonly byPath = new Map<string, MeshEvent>();

  [Symbol.iterator](): IterableIterator<MeshEvent> {
    return this.byPath.values();
  }

  /** Errors: `resource-exhausted` for more than 1000 headers, or more than 64 MB of them. */
  set(header: MeshEvent): void {
    const others = [...this.byPath.values()].filter(({ path }) => path !== header.path);
    const bytes = [...others, header].reduce((sum, { payload }) => sum + payload.length, 0);
    if (others.length >= most || bytes > mostBytes) {
      const limits = `${most} headers and ${mostBytes / 1e6} MB of them`;
      throw new MeshError('resource-exhausted', `the recorder keeps ${limits} at most; ask /clear_headers first`);
    }
    this.byPath.set(header.path, header);
  }

  clear(): void {
    this.byPath.clear();
  }
}
