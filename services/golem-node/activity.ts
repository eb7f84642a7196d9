import type { Agreement } from './agreements.js';
import { Batch } from './batch.js';
import type { ExeCommand, ScriptStep } from './exe-script.js';
import type { Faults } from './faults.js';
import type { Gsb } from './gsb.js';
import { newId } from './ids.js';
import type { Images } from './images.js';
import type { NodeEvents } from './node-events.js';
import { badRequest, gone, messageOf, notFound } from './problem.js';
import type { ProviderPool } from './provider-pool.js';
import { type CommandLimits, type CommandOutcome, runCommand } from './run-command.js';
import type { Sandbox, SandboxFactory } from './sandbox.js';
import type { Stamps } from './stamps.js';
import type { Timers } from './timers.js';
import { transfer } from './transfer.js';

export type ActivityState = 'New' | 'Initialized' | 'Deployed' | 'Ready' | 'Terminated';

interface ActivityLimits extends CommandLimits {
  /** Most bytes of one file transfer. */
  readonly maxTransferBytes: number;
}

export interface ActivityParts {
  readonly providers: ProviderPool;
  readonly faults: Faults;
  readonly images: Images;
  readonly sandboxes: SandboxFactory;
  readonly gsb: Gsb;
  readonly events: NodeEvents;
  readonly stamps: Stamps;
  readonly timers: Timers;
  readonly limits: ActivityLimits;
  /** The provider ends the agreement, on demand. */
  readonly breakAgreement: (agreement: Agreement) => void;
}

const mostWaiting = 100;
const keptBatches = 20;
const keptOutputBytes = 64 << 20;
const resultsKeptMs = 60_000;

/** A machine at a provider: it runs batches one after the other, in a sandbox of its own. */
export class Activity {
  readonly id = newId();
  readonly agreement: Agreement;
  readonly createdAtMs = performance.now();
  readonly #parts: ActivityParts;
  readonly #over = new AbortController();
  /** Resolves when it ends. */
  readonly over = new Promise<void>((resolve) => this.#over.signal.addEventListener('abort', () => resolve()));
  readonly #batches = new Map<string, Batch>();
  readonly #waiting: Batch[] = [];
  #state: ActivityState = 'Initialized';
  #reason: string | undefined;
  #sandbox: Sandbox | undefined;
  #worker: Promise<void> | undefined;
  #deploying: Promise<void> | undefined;
  #disposal: Promise<void> | undefined;
  #busyMs = 0;
  #busySince: number | undefined;
  #endedAtMs: number | undefined;

  constructor(agreement: Agreement, parts: ActivityParts) {
    this.agreement = agreement;
    this.#parts = parts;
  }

  get provider() {
    return this.agreement.provider;
  }

  get state(): ActivityState {
    return this.#state;
  }

  /** Why it ended. */
  get reason(): string | undefined {
    return this.#reason;
  }

  /** How long it exists, and how long commands ran in it, so far. */
  get usage(): { durationMs: number; busyMs: number } {
    const now = this.#endedAtMs ?? performance.now();
    const running = this.#busySince === undefined ? 0 : now - this.#busySince;
    return { durationMs: now - this.createdAtMs, busyMs: this.#busyMs + running };
  }

  exec(steps: readonly ScriptStep[]): string {
    if (this.#state === 'Terminated') throw gone(`activity ${this.id} has ended: ${this.#reason}`);
    if (this.#waiting.length >= mostWaiting) throw badRequest(`more than ${mostWaiting} batches wait in ${this.id}`);
    const batch = new Batch(steps, this.#parts.stamps);
    this.#batches.set(batch.id, batch);
    this.#forgetOldest();
    this.#waiting.push(batch);
    this.#tell('batch-received', { batchId: batch.id, commands: steps.map(({ line }) => line) });
    this.#worker ??= this.#work().finally(() => {
      this.#worker = undefined;
    });
    return batch.id;
  }

  batch(id: string): Batch {
    const batch = this.#batches.get(id);
    if (batch === undefined) throw notFound('batch', id);
    return batch;
  }

  /** Ends everything in it. Resolves when its processes and its folder are gone. */
  end(reason: string): Promise<void> {
    if (this.#disposal === undefined) {
      this.#state = 'Terminated';
      this.#reason = reason;
      this.#endedAtMs = performance.now();
      this.#over.abort();
      for (const batch of this.#batches.values()) batch.abandon(reason);
      this.#waiting.length = 0;
      this.#tell('activity-ended', { reason });
      this.#disposal = Promise.allSettled([this.#deploying])
        .then(() => this.#sandbox?.dispose())
        .catch((error: unknown) => this.#tell('clean-up-failed', { message: messageOf(error) }));
      // Whoever waits for results has them by then; the rest of the record is small and stays.
      this.#parts.timers.after(resultsKeptMs, () => this.#batches.clear());
    }
    return this.#disposal;
  }

  async #work(): Promise<void> {
    for (let batch = this.#waiting.shift(); batch !== undefined; batch = this.#waiting.shift()) {
      await this.#parts.timers.pause(this.provider.latencyMs);
      for (const [index, step] of batch.steps.entries()) {
        if (batch.finished) break;
        batch.begin(index);
        this.#tell('command-started', { batchId: batch.id, index, command: step.line });
        const outcome = await this.#perform(batch, index, step);
        // The activity may have ended meanwhile, and the batch with it.
        if (batch.finished) break;
        batch.end(index, outcome);
        this.#tell('command-finished', { batchId: batch.id, index, command: step.line, ...outcome });
      }
    }
  }

  async #perform(batch: Batch, index: number, step: ScriptStep): Promise<CommandOutcome> {
    const { faults, providers, breakAgreement } = this.#parts;
    const occasion = { provider: this.provider.name, text: step.line };
    if (faults.take('vanish-provider', occasion) !== undefined) providers.vanish(this.provider.name);
    else if (faults.take('terminate-agreement', occasion) !== undefined) breakAgreement(this.agreement);
    if (this.#over.signal.aborted) return { code: 1, message: 'the activity ended' };
    if (faults.take('break-batch', occasion) !== undefined) return { code: 1, message: 'the provider failed' };
    if (step.command.kind === 'run' && faults.take('hang-command', occasion) !== undefined) {
      await new Promise((resolve) => this.#over.signal.addEventListener('abort', resolve));
      return { code: 1, message: 'the activity ended' };
    }
    this.#busySince = performance.now();
    try {
      return await this.#execute(step.command, (stream, bytes) => batch.print(index, stream, bytes));
    } catch (error) {
      return { code: 1, message: messageOf(error) };
    } finally {
      this.#busyMs += performance.now() - this.#busySince;
      this.#busySince = undefined;
    }
  }

  async #execute(
    command: ExeCommand,
    onOutput: (stream: 'stdout' | 'stderr', bytes: Buffer) => void,
  ): Promise<CommandOutcome> {
    const { limits, gsb } = this.#parts;
    const { signal } = this.#over;
    switch (command.kind) {
      case 'deploy':
        this.#deploying = this.#deploy();
        await this.#deploying;
        break;
      case 'start':
        this.#deployed();
        this.#state = 'Ready';
        this.#tell('activity-ready', {});
        break;
      case 'terminate':
        // Not awaited: the batch that asks for it has to end first.
        setImmediate(() => void this.end('it was terminated by its own batch'));
        break;
      case 'transfer':
        await transfer(this.#deployed(), gsb, { ...command, signal, maxBytes: limits.maxTransferBytes });
        break;
      case 'run': {
        const sandbox = this.#deployed();
        if (this.#state !== 'Ready') throw new Error('run needs start before it');
        return await runCommand(sandbox, command, { ...limits, signal, onOutput });
      }
    }
    return { code: 0 };
  }

  #deployed(): Sandbox {
    if (this.#sandbox === undefined) throw new Error('the activity needs deploy before this');
    return this.#sandbox;
  }

  async #deploy(): Promise<void> {
    if (this.#sandbox !== undefined) throw new Error('the activity is deployed already');
    const image = this.#parts.images.ofPackage(this.agreement.demand.properties['golem.srv.comp.task_package']);
    const sandbox = await this.#parts.sandboxes.create(this.id, image);
    this.#sandbox = sandbox;
    // Whoever ended it waits for this, and disposes of it.
    if (this.#over.signal.aborted) return;
    this.#state = 'Deployed';
    void sandbox.broken.then(() => this.end('its first process was killed'));
    this.#tell('activity-deployed', { image: image.tag });
  }

  #tell(kind: string, details: object): void {
    const scope = { activityId: this.id, agreementId: this.agreement.id };
    this.#parts.events.emit('/activities', kind, { ...scope, ...details }, this.provider.name);
  }

  #forgetOldest(): void {
    let bytes = 0;
    const batches = [...this.#batches.values()].reverse();
    for (const [age, batch] of batches.entries()) {
      bytes += batch.outputBytes;
      if (batch.finished && (age >= keptBatches || bytes > keptOutputBytes)) this.#batches.delete(batch.id);
    }
  }
}
