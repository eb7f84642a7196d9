import { randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { MeshError } from '../../src/base/errors.js';
import { matchesConstraint, parseConstraint } from '../../src/golem/constraint.js';
import type {
  ActivityState,
  AgreementEvent,
  AgreementRecord,
  AgreementState,
  AllocationRecord,
  CallOptions,
  ExeCommand,
  ExeResult,
  GolemDaemon,
  OfferEvent,
  PaymentDocument,
  PaymentEvent,
  RuntimeEvent,
} from '../../src/golem/daemon.js';
import type { DemandSpec, Properties } from '../../src/golem/properties.js';
import type { StorageProvider } from '../../src/golem/storage.js';

/** How one command of a fake provider ends. */
export interface FakeOutcome {
  readonly ok?: boolean;
  readonly stdout?: string;
  readonly stderr?: string;
  readonly message?: string;
}

export interface FakeProvider {
  readonly id: string;
  /** GLM for a second, for a CPU second, for starting. Default 0.0001, 0, 0. */
  readonly prices?: readonly [number, number, number];
  readonly properties?: Properties;
  approval?: 'approve' | 'reject' | 'ignore';
  activity?: 'create' | 'fail';
  invoice?: 'send' | 'none';
  /** Amount of its invoices. Default 0.001. */
  amount?: string;
  /** What a run command does. Default: echoes its arguments. May wait for ever. */
  run?: (command: { entry_point: string; args: string[] }) => FakeOutcome | Promise<FakeOutcome>;
}

interface FakeAgreement {
  state: AgreementState;
  readonly provider: FakeProvider;
  readonly record: Omit<AgreementRecord, 'state'>;
  ran: boolean;
}

interface FakeActivity {
  readonly agreementId: string;
  readonly provider: FakeProvider;
  state: ActivityState;
}

interface FakeBatch {
  readonly results: ExeResult[];
  readonly events: RuntimeEvent[];
}

const platform = 'erc20-holesky-tglm';

/** A golem daemon in memory, with providers that do as they are told. Its fields show what has been done to it. */
export class FakeDaemon implements GolemDaemon {
  readonly url = 'memory://daemon';
  appSessionId: string = randomUUID();
  readonly providers: FakeProvider[];
  readonly demands = new Map<string, DemandSpec>();
  readonly agreements = new Map<string, FakeAgreement>();
  readonly activities = new Map<string, FakeActivity>();
  readonly allocations = new Map<string, AllocationRecord>();
  readonly invoices = new Map<string, PaymentDocument>();
  readonly debitNotes = new Map<string, PaymentDocument>();
  readonly networks = new Map<string, Map<string, string>>();
  readonly files = new Map<string, Uint8Array>();
  readonly agreementLog: AgreementEvent[] = [];
  readonly invoiceLog: PaymentEvent[] = [];
  readonly debitNoteLog: PaymentEvent[] = [];
  /** Every call by its name, in order. */
  readonly calls: string[] = [];
  readonly commands: ExeCommand[] = [];
  /** Thrown by calls of this name, once each. */
  readonly faults = new Map<string, MeshError[]>();
  isAway = false;
  /** Streams end after this many events. */
  streamBreaksAfter = Number.POSITIVE_INFINITY;
  readonly #offers = new Map<string, OfferEvent[]>();
  readonly #proposals = new Map<string, { provider: FakeProvider; demandId: string }>();
  readonly #batches = new Map<string, FakeBatch>();
  readonly #published = new Map<string, Uint8Array | string>();
  readonly #receptions = new Map<string, (bytes: Uint8Array) => Promise<void>>();
  #news: (() => void)[] = [];
  #clockMs = Date.now();

  constructor(providers: FakeProvider[]) {
    this.providers = providers;
  }

  /** Fails the next calls of this name. */
  failNext(call: string, ...errors: MeshError[]): void {
    this.faults.set(call, errors);
  }

  /** The provider ends its agreement. */
  terminateByProvider(agreementId: string, reason = 'out of power'): void {
    const agreement = this.agreements.get(agreementId) as FakeAgreement;
    agreement.state = 'Terminated';
    this.agreementLog.push({ type: 'terminated', agreementId, reason, date: this.stamp(), terminatedBy: 'Provider' });
    this.tell();
  }

  sendDebitNote(activityId: string, amount: string): string {
    const { agreementId, provider } = this.activities.get(activityId) as FakeActivity;
    const id = randomUUID();
    this.debitNotes.set(id, { id, agreementId, activityId, amount, issuerId: provider.id, status: 'RECEIVED' });
    this.debitNoteLog.push({ type: 'DebitNoteReceivedEvent', id, date: this.stamp() });
    this.tell();
    return id;
  }

  sendInvoice(agreementId: string, options: { amount?: string; quietly?: boolean } = {}): string {
    const { provider } = this.agreements.get(agreementId) as FakeAgreement;
    const id = randomUUID();
    const amount = options.amount ?? provider.amount ?? '0.001';
    this.invoices.set(id, { id, agreementId, amount, issuerId: provider.id, status: 'RECEIVED' });
    if (!options.quietly) this.invoiceLog.push({ type: 'InvoiceReceivedEvent', id, date: this.stamp() });
    this.tell();
    return id;
  }

  stamp(): string {
    this.#clockMs = Math.max(this.#clockMs + 1, Date.now());
    return new Date(this.#clockMs).toISOString();
  }

  tell(): void {
    for (const wake of this.#news.splice(0)) wake();
  }

  /** Names of calls, counted. */
  count(call: string): number {
    return this.calls.filter((name) => name === call).length;
  }

  async version(): Promise<string> {
    await this.#enter('version');
    return '0.17.0';
  }

  async identity() {
    await this.#enter('identity');
    return { id: '0xrequestor', name: 'tester' };
  }

  async close(): Promise<void> {}

  readonly market: GolemDaemon['market'] = {
    publishDemand: async (demand) => {
      await this.#enter('publishDemand');
      const demandId = randomUUID();
      this.demands.set(demandId, demand);
      const events = this.providers
        .filter((provider) => matchesConstraint(parseConstraint(demand.constraints), offerOf(provider)))
        .map((provider) => this.#proposal(provider, demandId, 'Initial'));
      this.#offers.set(demandId, events);
      return demandId;
    },
    removeDemand: async (demandId) => {
      await this.#enter('removeDemand');
      this.demands.delete(demandId);
      this.#offers.delete(demandId);
      this.tell();
    },
    listDemands: async () => [...this.demands].map(([demandId, demand]) => ({ demandId, demand })),
    collectOffers: async (demandId, { waitSeconds, signal }) => {
      await this.#enter('collectOffers');
      const take = () => {
        const events = this.#offers.get(demandId);
        if (!events) throw new MeshError('not-found', 'no such demand');
        return events.splice(0, 10);
      };
      return this.#poll(take, waitSeconds, signal);
    },
    counterProposal: async (demandId, proposalId) => {
      await this.#enter('counterProposal');
      const { provider } = this.#proposals.get(proposalId) as { provider: FakeProvider };
      this.#offers.get(demandId)?.push(this.#proposal(provider, demandId, 'Draft'));
      this.tell();
      return randomUUID();
    },
    rejectProposal: async () => this.#enter('rejectProposal'),
    createAgreement: async (proposalId, validTo) => {
      await this.#enter('createAgreement');
      const { provider, demandId } = this.#proposals.get(proposalId) as { provider: FakeProvider; demandId: string };
      const agreementId = randomUUID();
      const record = {
        agreementId,
        providerId: provider.id,
        validTo: validTo.toISOString(),
        demand: this.demands.get(demandId) ?? { properties: {}, constraints: '' },
        offer: { properties: offerOf(provider), constraints: '' },
      };
      this.agreements.set(agreementId, { state: 'Proposal', provider, record, ran: false });
      return agreementId;
    },
    confirmAgreement: async (agreementId) => {
      await this.#enter('confirmAgreement');
      const agreement = this.agreements.get(agreementId) as FakeAgreement;
      const { approval = 'approve' } = agreement.provider;
      agreement.state = approval === 'approve' ? 'Approved' : approval === 'reject' ? 'Rejected' : 'Pending';
    },
    waitForApproval: async (agreementId, { waitSeconds, signal }) => {
      await this.#enter('waitForApproval');
      const agreement = this.agreements.get(agreementId) as FakeAgreement;
      const decided = await this.#poll(() => (agreement.state === 'Pending' ? [] : [true]), waitSeconds, signal);
      return decided.length > 0 ? 'decided' : 'pending';
    },
    agreement: async (agreementId) => {
      await this.#enter('agreement');
      const agreement = this.agreements.get(agreementId);
      if (!agreement) throw new MeshError('not-found', 'no such agreement');
      return { ...agreement.record, state: agreement.state };
    },
    cancelAgreement: async (agreementId) => {
      await this.#enter('cancelAgreement');
      const agreement = this.agreements.get(agreementId) as FakeAgreement;
      if (!['Proposal', 'Pending'].includes(agreement.state)) throw new MeshError('not-found', 'decided already');
      agreement.state = 'Cancelled';
    },
    terminateAgreement: async (agreementId) => {
      await this.#enter('terminateAgreement');
      const agreement = this.agreements.get(agreementId) as FakeAgreement;
      if (agreement.state !== 'Approved') throw new MeshError('not-found', `it is ${agreement.state}`);
      agreement.state = 'Terminated';
      for (const activity of this.activities.values()) {
        if (activity.agreementId === agreementId) activity.state = 'Terminated';
      }
      if (agreement.ran && (agreement.provider.invoice ?? 'send') === 'send') {
        this.sendInvoice(agreementId);
      }
    },
    agreementEvents: async ({ after, waitSeconds, signal, maxEvents = 100 }) => {
      await this.#enter('agreementEvents');
      return this.#poll(() => newer(this.agreementLog, after, maxEvents), waitSeconds, signal);
    },
  };

  readonly payment: GolemDaemon['payment'] = {
    createAllocation: async ({ totalAmount, paymentPlatform, address, expires }) => {
      await this.#enter('createAllocation');
      const allocationId = randomUUID();
      const record = {
        allocationId,
        totalAmount,
        spentAmount: '0',
        remainingAmount: totalAmount,
        paymentPlatform,
        address,
        timeout: expires.toISOString(),
      };
      this.allocations.set(allocationId, record);
      return record;
    },
    allocation: async (id) => {
      await this.#enter('allocation');
      const found = this.allocations.get(id);
      if (!found) throw new MeshError('not-found', 'no such allocation');
      return found;
    },
    listAllocations: async () => [...this.allocations.values()],
    releaseAllocation: async (id) => {
      await this.#enter('releaseAllocation');
      if (!this.allocations.delete(id)) throw new MeshError('not-found', 'no such allocation');
    },
    demandDecorations: async () => ({
      properties: { 'golem.com.payment.platform.test': 'yes' },
      constraints: [`(golem.com.payment.platform.${platform}.address=*)`],
    }),
    debitNote: async (id) => {
      await this.#enter('debitNote');
      return this.debitNotes.get(id) as PaymentDocument;
    },
    invoice: async (id) => {
      await this.#enter('invoice');
      return this.invoices.get(id) as PaymentDocument;
    },
    listInvoices: async () => {
      await this.#enter('listInvoices');
      return [...this.invoices.values()];
    },
    acceptDebitNote: async (id) => {
      await this.#enter('acceptDebitNote');
      this.debitNotes.set(id, { ...(this.debitNotes.get(id) as PaymentDocument), status: 'ACCEPTED' });
    },
    acceptInvoice: async (id, _amount, allocationId) => {
      await this.#enter('acceptInvoice');
      if (!this.allocations.has(allocationId)) throw new MeshError('not-found', 'no such allocation');
      this.invoices.set(id, { ...(this.invoices.get(id) as PaymentDocument), status: 'ACCEPTED' });
    },
    rejectInvoice: async (id) => {
      await this.#enter('rejectInvoice');
      this.invoices.set(id, { ...(this.invoices.get(id) as PaymentDocument), status: 'REJECTED' });
    },
    debitNoteEvents: async ({ after, waitSeconds, signal, maxEvents = 100 }) => {
      await this.#enter('debitNoteEvents');
      return this.#poll(() => newer(this.debitNoteLog, after, maxEvents), waitSeconds, signal);
    },
    invoiceEvents: async ({ after, waitSeconds, signal, maxEvents = 100 }) => {
      await this.#enter('invoiceEvents');
      return this.#poll(() => newer(this.invoiceLog, after, maxEvents), waitSeconds, signal);
    },
  };

  readonly activity: GolemDaemon['activity'] = {
    createActivity: async (agreementId) => {
      await this.#enter('createActivity');
      const agreement = this.agreements.get(agreementId) as FakeAgreement;
      if (agreement.state !== 'Approved') throw new MeshError('failed-precondition', 'no agreement');
      if (agreement.provider.activity === 'fail') throw new MeshError('internal', 'the runtime does not start');
      agreement.ran = true;
      const id = randomUUID();
      this.activities.set(id, { agreementId, provider: agreement.provider, state: 'Initialized' });
      return id;
    },
    destroyActivity: async (id) => {
      await this.#enter('destroyActivity');
      this.#activity(id).state = 'Terminated';
    },
    state: async (id) => {
      await this.#enter('state');
      return [this.#activity(id).state, null];
    },
    usage: async () => [1, 1],
    exec: async (id, commands) => {
      await this.#enter('exec');
      const activity = this.#activity(id);
      if (activity.state === 'Terminated') throw new MeshError('not-found', 'no such activity');
      const batchId = randomUUID();
      this.#batches.set(batchId, { results: [], events: [] });
      this.commands.push(...commands);
      void this.#runBatch(activity, batchId, commands);
      return batchId;
    },
    batchResults: async (id, batchId, { waitSeconds, signal }) => {
      await this.#enter('batchResults');
      const { results } = this.#batches.get(batchId) as FakeBatch;
      if (this.#activity(id).state === 'Terminated' && !results.at(-1)?.isBatchFinished) {
        throw new MeshError('not-found', 'no such activity');
      }
      const known = results.length;
      return this.#poll(
        () => (results.at(-1)?.isBatchFinished || results.length > known ? results : []),
        waitSeconds,
        signal,
      );
    },
    batchEvents: (_id, batchId, { signal }) => this.#stream(batchId, signal),
  };

  async *#stream(batchId: string, signal: AbortSignal): AsyncGenerator<RuntimeEvent> {
    const { events, results } = this.#batches.get(batchId) as FakeBatch;
    for (let i = 0; ; ) {
      while (i < events.length) {
        if (i >= this.streamBreaksAfter) throw new MeshError('unavailable', 'the stream broke');
        yield events[i++] as RuntimeEvent;
      }
      if (signal.aborted || results.at(-1)?.isBatchFinished) return;
      await this.#poll(() => (events.length > i ? [true] : []), 5, signal);
    }
  }

  readonly net: GolemDaemon['net'] = {
    createNetwork: async ({ ip, mask }) => {
      await this.#enter('createNetwork');
      const id = randomUUID();
      this.networks.set(id, new Map());
      return { id, ip, mask };
    },
    removeNetwork: async (id) => {
      await this.#enter('removeNetwork');
      this.networks.delete(id);
    },
    addNode: async (id, node) => {
      await this.#enter('addNode');
      this.networks.get(id)?.set(node.id, node.ip);
    },
    removeNode: async (id, nodeId) => {
      await this.#enter('removeNode');
      this.networks.get(id)?.delete(nodeId);
    },
    tcpUrl: (id, ip, port) => `ws://memory/net/${id}/tcp/${ip}/${port}`,
  };

  readonly storage: StorageProvider = {
    publish: async (source) => {
      await this.#enter('publish');
      const url = `gftp://memory/${randomUUID()}`;
      if (typeof source === 'string') {
        const read = readFile(source).catch((cause) => {
          throw new MeshError('invalid-argument', `Cannot read the file to send: ${source}`, { cause });
        });
        this.#published.set(url, await read);
      } else this.#published.set(url, source);
      return url;
    },
    receive: async ({ file }) => {
      await this.#enter('receive');
      const url = `gftp://memory/${randomUUID()}`;
      const done = new Promise<Uint8Array>((resolve) => {
        this.#receptions.set(url, async (bytes) => {
          if (file !== undefined) await writeFile(file, bytes);
          resolve(file === undefined ? bytes : new Uint8Array());
        });
      });
      return { url, done };
    },
    close: async (urls) => {
      for (const url of urls) {
        this.#published.delete(url);
        this.#receptions.delete(url);
      }
    },
    shutdown: async () => undefined,
  };

  /** Transfers that are still open. */
  get openTransfers(): number {
    return this.#published.size + this.#receptions.size;
  }

  async #enter(call: string): Promise<void> {
    this.calls.push(call);
    await Promise.resolve();
    if (this.isAway) throw new MeshError('unavailable', 'the daemon is away');
    const fault = this.faults.get(call)?.shift();
    if (fault) throw fault;
  }

  #activity(id: string): FakeActivity {
    const found = this.activities.get(id);
    if (!found) throw new MeshError('not-found', 'no such activity');
    return found;
  }

  #proposal(provider: FakeProvider, demandId: string, state: 'Initial' | 'Draft'): OfferEvent {
    const proposalId = randomUUID();
    this.#proposals.set(proposalId, { provider, demandId });
    const proposal = { proposalId, issuerId: provider.id, state, properties: offerOf(provider), constraints: '' };
    return { type: 'proposal', date: this.stamp(), proposal };
  }

  /** Holds a poll until there is something, as the daemon does; a signal ends it. */
  async #poll<T>(
    take: () => readonly T[],
    waitSeconds: number,
    signal: AbortSignal | undefined,
  ): Promise<readonly T[]> {
    const endMs = performance.now() + waitSeconds * 1000;
    for (;;) {
      if (signal?.aborted) throw new MeshError('cancelled', 'cancelled');
      if (this.isAway) throw new MeshError('unavailable', 'the daemon is away');
      const taken = take();
      const leftMs = endMs - performance.now();
      if (taken.length > 0 || leftMs <= 0) return [...taken];
      await new Promise<void>((resolve) => {
        const timer = setTimeout(() => wake(), leftMs);
        const wake = () => {
          clearTimeout(timer);
          signal?.removeEventListener('abort', wake);
          resolve();
        };
        this.#news.push(wake);
        signal?.addEventListener('abort', wake, { once: true });
      });
    }
  }

  async #runBatch(activity: FakeActivity, batchId: string, commands: readonly ExeCommand[]): Promise<void> {
    const batch = this.#batches.get(batchId) as FakeBatch;
    for (const [index, command] of commands.entries()) {
      batch.events.push({ kind: 'started', index, date: this.stamp(), command });
      const outcome = await this.#runCommand(activity, command);
      const { ok = true, stdout = '', stderr = '', message = '' } = outcome;
      const isBatchFinished = !ok || index === commands.length - 1;
      if (stdout) batch.events.push({ kind: 'stdout', index, date: this.stamp(), text: stdout });
      batch.results.push({ index, date: this.stamp(), ok, stdout, stderr, message, isBatchFinished });
      batch.events.push({ kind: 'finished', index, date: this.stamp(), returnCode: ok ? 0 : 1, message });
      this.tell();
      if (!ok) return;
    }
  }

  async #runCommand(activity: FakeActivity, command: ExeCommand): Promise<FakeOutcome> {
    if ('deploy' in command) activity.state = 'Deployed';
    if ('start' in command) activity.state = 'Ready';
    if ('run' in command) {
      const run = command.run as { entry_point: string; args: string[] };
      return (await activity.provider.run?.(run)) ?? { stdout: `${[run.entry_point, ...run.args].join(' ')}\n` };
    }
    if ('transfer' in command) {
      const { from, to } = command.transfer as { from: string; to: string };
      if (to.startsWith('container:')) {
        this.files.set(to.slice(10), new Uint8Array(this.#published.get(from) as Uint8Array));
      } else {
        const bytes = this.files.get(from.slice(10));
        if (!bytes) return { ok: false, message: `no such file: ${from}` };
        await this.#receptions.get(to)?.(bytes);
      }
    }
    return {};
  }
}

function offerOf({ id, prices = [0.0001, 0, 0], properties }: FakeProvider): Properties {
  return {
    'golem.node.id.name': `name of ${id}`,
    'golem.node.debug.subnet': 'public',
    'golem.com.pricing.model': 'linear',
    'golem.com.scheme': 'payu',
    'golem.com.usage.vector': ['golem.usage.duration_sec', 'golem.usage.cpu_sec'],
    'golem.com.pricing.model.linear.coeffs': prices,
    [`golem.com.payment.platform.${platform}.address`]: id,
    'golem.runtime.name': 'vm',
    'golem.runtime.capabilities': ['vpn'],
    'golem.inf.mem.gib': 4,
    'golem.inf.storage.gib': 20,
    'golem.inf.cpu.threads': 2,
    ...properties,
  };
}

function newer<T extends { date: string }>(log: readonly T[], after: string, maxEvents: number): readonly T[] {
  return log.filter(({ date }) => Date.parse(date) > Date.parse(after)).slice(0, maxEvents);
}

export type { CallOptions };
