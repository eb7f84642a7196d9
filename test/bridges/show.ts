import type { Mesh } from 'furrow';
import { onTestFinished } from 'vitest';
import { type FoxgloveOptions, FoxgloveServer } from '../../src/bridges/foxglove/index.js';
import { registry } from '../mesh/running.js';

/** Serves a mesh to viewers on a free port until the test ends, and looks often at what there is. */
export async function show(mesh: Mesh, options: FoxgloveOptions = {}): Promise<FoxgloveServer> {
  const server = await FoxgloveServer.start(mesh, { port: 0, registry, pollMs: 20, ...options });
  onTestFinished(() => server.close());
  return server;
}
