import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type GolemNode, type GolemNodeOptions, startGolemNode } from '../../services/golem-node/start-golem-node.js';
import { Requestor } from './requestor.js';

export interface TestNode extends AsyncDisposable {
  readonly node: GolemNode;
  readonly requestor: Requestor;
  /** Folders of activities that are there now. */
  folders(): string[];
}

/** A node with one dependable provider that answers at once, in a folder of its own. */
export async function testNode(options: GolemNodeOptions = {}): Promise<TestNode> {
  const base = mkdtempSync(join(tmpdir(), 'golem-node-test-'));
  const folder = join(base, 'activities');
  const node = await startGolemNode({
    folder,
    providers: [{ name: 'alder', negotiationMs: 0, maxAgreements: 100 }],
    // Most tests are about something else, and a sandbox of paths is there at once.
    isolation: 'paths',
    ...options,
  });
  return {
    node,
    requestor: new Requestor(node),
    folders: () => list(folder),
    [Symbol.asyncDispose]: async () => {
      await node.close();
      rmSync(base, { recursive: true, force: true });
    },
  };
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    // The last activity takes it along.
    return [];
  }
}
