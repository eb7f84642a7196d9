import { readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Golem, type GolemEvent, type GolemOptions, type RunServiceOptions, Service, vm } from 'furrow/golem';
import { expect, onTestFinished } from 'vitest';
import type { NodeEvent } from '../../services/golem-node/node-events.js';
import { type GolemNode, type GolemNodeOptions, startGolemNode } from '../../services/golem-node/start-golem-node.js';

/** Short pauses, and time-outs that only a failure reaches. */
export const quick = {
  respawnPauseMs: 1,
  graceMs: 100,
  starvedMs: 1000,
  otherProviderWaitMs: 200,
  approvalTimeoutMs: 5000,
} satisfies RunServiceOptions<never>;

/** Any image will do: the local node shows this machine's programs. */
export class Shell<P = unknown> extends Service<P> {
  static override getPayload() {
    return vm.repo({ imageHash: '0'.repeat(56), imageUrl: 'http://127.0.0.1/none.gvmi', minStorageGib: 1 });
  }
}

export interface Opened {
  readonly golem: Golem;
  readonly events: GolemEvent[];
  /** Lines of its log. */
  readonly log: string[];
}

/** A local node in this process, as the daemon that a Golem talks to. */
export class LocalDaemon {
  readonly node: GolemNode;
  /** A folder for a test's own files. */
  readonly folder: string;
  readonly happened: NodeEvent[] = [];

  private constructor(node: GolemNode, folder: string) {
    this.node = node;
    this.folder = folder;
    node.events$.subscribe((event) => this.happened.push(event));
  }

  static async start(options: GolemNodeOptions = {}): Promise<LocalDaemon> {
    const folder = await mkdtemp(join(tmpdir(), 'golem-local-'));
    return new LocalDaemon(await startGolemNode({ folder: join(folder, 'activities'), ...options }), folder);
  }

  async close(): Promise<void> {
    await this.node.close();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** A Golem that is closed at the end of the test. */
  async open(options: Partial<GolemOptions> = {}): Promise<Opened> {
    const events: GolemEvent[] = [];
    const log: string[] = [];
    const golem = await Golem.open({
      budget: 1,
      stateDir: null,
      yagna: { url: this.node.url, appKey: this.node.appKey },
      eventConsumer: (event) => events.push(event),
      logger: { warn: (line) => void log.push(line), error: (line) => void log.push(line) },
      invoiceTimeoutMs: 5000,
      ...options,
    });
    onTestFinished(() => golem.close({ timeoutMs: 1000 }));
    return { golem, events, log };
  }

  /** Asks the node as the daemon it stands for. */
  async ask<T>(path: string): Promise<T> {
    const headers = { Authorization: `Bearer ${this.node.appKey}`, Connection: 'close' };
    const response = await fetch(`${this.node.url}${path}`, { headers });
    return (await response.json()) as T;
  }

  /** Whatever a requestor can leave at the daemon. */
  async left(): Promise<object> {
    const agreements = (state: string) => this.ask<object[]>(`/market-api/v1/agreements?state=${state}`);
    return {
      demands: await this.ask('/market-api/v1/demands'),
      agreements: (await Promise.all(['Proposal', 'Pending', 'Approved'].map(agreements))).flat(),
      allocations: await this.ask('/payment-api/v1/allocations'),
      networks: await this.ask('/net-api/v1/net'),
      folders: this.#folders(),
    };
  }

  /** Folders of activities go a moment after the activities. */
  async leavesNothing(): Promise<void> {
    const nothing = { demands: [], agreements: [], allocations: [], networks: [], folders: [] };
    await expect.poll(() => this.left(), { interval: 5, timeout: 10_000 }).toEqual(nothing);
  }

  /** What was taken out of the allocation that was released last, GLM. */
  get spent(): number {
    const released = this.happened.findLast(({ kind }) => kind === 'allocation-released');
    return Number(released?.details.spent);
  }

  #folders(): string[] {
    try {
      return readdirSync(join(this.folder, 'activities'));
    } catch {
      return [];
    }
  }
}
