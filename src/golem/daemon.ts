import type { DemandSpec, Properties } from './properties.js';
import type { StorageProvider } from './storage.js';

/**
 * The golem daemon, as much of it as this folder needs. `connectYagna` is the real one; a test brings its own.
 * Every call ends by its `signal` or `timeoutMs`, and fails with a MeshError: `unavailable` when the daemon does
 * not answer, `not-found` when what is asked for is gone, else by what the daemon said.
 */
export interface GolemDaemon {
  readonly market: DaemonMarket;
  readonly payment: DaemonPayment;
  readonly activity: DaemonActivity;
  readonly net: DaemonNet;
  readonly storage: StorageProvider;
  /** Where it is: `http://127.0.0.1:7465`. */
  readonly url: string;
  /** Names this process towards the daemon; events of agreements confirmed under it come back by it. */
  readonly appSessionId: string;
  /** Aborts when it is known that the daemon has lost all it held: every call fails with `not-found` from then on. */
  readonly gone?: AbortSignal | undefined;
  /** Asks whether the daemon answers at all. Cheap, needs no key. */
  version(call?: CallOptions): Promise<string>;
  identity(call?: CallOptions): Promise<Identity>;
  close(): Promise<void>;
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** Default 30,000. */
  readonly timeoutMs?: number;
}

/** A long poll: events after `after` (ISO 8601), waiting up to `waitSeconds` for the first. */
export interface PollOptions extends CallOptions {
  readonly after: string;
  readonly waitSeconds: number;
  /** Default 100. */
  readonly maxEvents?: number;
}

export interface Identity {
  /** Node id: `0x…`. */
  readonly id: string;
  readonly name: string;
}

export type ProposalState = 'Initial' | 'Draft' | 'Rejected' | 'Accepted' | 'Expired';

export interface ProposalRecord {
  readonly proposalId: string;
  readonly issuerId: string;
  readonly state: ProposalState;
  readonly properties: Properties;
  readonly constraints: string;
  readonly prevProposalId?: string | undefined;
}

export type OfferEvent =
  | { readonly type: 'proposal'; readonly date: string; readonly proposal: ProposalRecord }
  | { readonly type: 'rejected'; readonly date: string; readonly proposalId: string; readonly reason: string };

export type AgreementState = 'Proposal' | 'Pending' | 'Cancelled' | 'Rejected' | 'Approved' | 'Expired' | 'Terminated';

export interface AgreementRecord {
  readonly agreementId: string;
  readonly state: AgreementState;
  readonly providerId: string;
  /** ISO 8601. */
  readonly validTo: string;
  readonly demand: DemandSpec;
  readonly offer: DemandSpec;
}

export interface AgreementEvent {
  readonly type: 'approved' | 'rejected' | 'cancelled' | 'terminated';
  readonly agreementId: string;
  readonly date: string;
  readonly reason: string;
  readonly terminatedBy?: 'Requestor' | 'Provider' | undefined;
}

export interface DaemonMarket {
  publishDemand(demand: DemandSpec, call?: CallOptions): Promise<string>;
  removeDemand(demandId: string, call?: CallOptions): Promise<void>;
  listDemands(call?: CallOptions): Promise<readonly { readonly demandId: string; readonly demand: DemandSpec }[]>;
  /** Long poll for offers; `not-found` once the demand is gone. */
  collectOffers(
    demandId: string,
    options: CallOptions & { waitSeconds: number; maxEvents?: number },
  ): Promise<readonly OfferEvent[]>;
  counterProposal(demandId: string, proposalId: string, demand: DemandSpec, call?: CallOptions): Promise<string>;
  rejectProposal(demandId: string, proposalId: string, reason: string, call?: CallOptions): Promise<void>;
  createAgreement(proposalId: string, validTo: Date, call?: CallOptions): Promise<string>;
  confirmAgreement(agreementId: string, call?: CallOptions): Promise<void>;
  /** Waits for the provider's decision: `decided` (read the agreement's state), or `pending` when time is up. */
  waitForApproval(agreementId: string, options: CallOptions & { waitSeconds: number }): Promise<'decided' | 'pending'>;
  agreement(agreementId: string, call?: CallOptions): Promise<AgreementRecord>;
  /** Takes back what the provider has not decided on yet; `not-found` once it has. */
  cancelAgreement(agreementId: string, reason: string, call?: CallOptions): Promise<void>;
  terminateAgreement(agreementId: string, reason: string, call?: CallOptions): Promise<void>;
  agreementEvents(poll: PollOptions): Promise<readonly AgreementEvent[]>;
}

export interface AllocationRecord {
  readonly allocationId: string;
  readonly totalAmount: string;
  readonly spentAmount: string;
  readonly remainingAmount: string;
  /** `erc20-holesky-tglm` */
  readonly paymentPlatform: string;
  readonly address: string;
  /** ISO 8601, when it ends by itself. */
  readonly timeout?: string | undefined;
}

/** A debit note (running total of an activity) or an invoice (final sum of an agreement). */
export interface PaymentDocument {
  readonly id: string;
  readonly agreementId: string;
  readonly issuerId: string;
  /** Debit notes only. */
  readonly activityId?: string | undefined;
  /** Decimal GLM. */
  readonly amount: string;
  readonly status: string;
}

/** `id` is the document's. */
export interface PaymentEvent {
  readonly type: string;
  readonly id: string;
  readonly date: string;
}

export interface AllocationRequest {
  readonly totalAmount: string;
  readonly paymentPlatform: string;
  readonly address: string;
  readonly expires: Date;
}

export interface DaemonPayment {
  createAllocation(request: AllocationRequest, call?: CallOptions): Promise<AllocationRecord>;
  allocation(allocationId: string, call?: CallOptions): Promise<AllocationRecord>;
  listAllocations(call?: CallOptions): Promise<readonly AllocationRecord[]>;
  releaseAllocation(allocationId: string, call?: CallOptions): Promise<void>;
  demandDecorations(
    allocationId: string,
    call?: CallOptions,
  ): Promise<{ readonly properties: Properties; readonly constraints: readonly string[] }>;
  debitNote(id: string, call?: CallOptions): Promise<PaymentDocument>;
  invoice(id: string, call?: CallOptions): Promise<PaymentDocument>;
  listInvoices(call?: CallOptions): Promise<readonly PaymentDocument[]>;
  acceptDebitNote(id: string, amount: string, allocationId: string, call?: CallOptions): Promise<void>;
  acceptInvoice(id: string, amount: string, allocationId: string, call?: CallOptions): Promise<void>;
  rejectInvoice(id: string, reason: string, call?: CallOptions): Promise<void>;
  debitNoteEvents(poll: PollOptions): Promise<readonly PaymentEvent[]>;
  invoiceEvents(poll: PollOptions): Promise<readonly PaymentEvent[]>;
}

export type ActivityState = 'New' | 'Initialized' | 'Deployed' | 'Ready' | 'Unresponsive' | 'Terminated';

/** One command of a batch as it goes over the wire: `{ run: { entry_point, args } }`. */
export type ExeCommand = Readonly<Record<string, unknown>>;

export interface ExeResult {
  readonly index: number;
  readonly date: string;
  readonly ok: boolean;
  readonly stdout: string;
  readonly stderr: string;
  readonly message: string;
  readonly isBatchFinished: boolean;
}

/** What a streamed batch says while it runs. */
export type RuntimeEvent = { readonly index: number; readonly date: string } & (
  | { readonly kind: 'started'; readonly command: unknown }
  | { readonly kind: 'stdout' | 'stderr'; readonly text: string }
  | { readonly kind: 'progress'; readonly progress: unknown }
  | { readonly kind: 'finished'; readonly returnCode: number; readonly message: string }
);

export interface DaemonActivity {
  createActivity(agreementId: string, call?: CallOptions): Promise<string>;
  destroyActivity(activityId: string, call?: CallOptions): Promise<void>;
  /** The state it is in, and the one it is going to, if it changes. */
  state(activityId: string, call?: CallOptions): Promise<readonly [ActivityState, ActivityState | null]>;
  /** Counters in the order of the offer's `golem.com.usage.vector`. */
  usage(activityId: string, call?: CallOptions): Promise<readonly number[]>;
  exec(activityId: string, commands: readonly ExeCommand[], call?: CallOptions): Promise<string>;
  /** All results so far, from the first command on. */
  batchResults(
    activityId: string,
    batchId: string,
    options: CallOptions & { waitSeconds: number },
  ): Promise<readonly ExeResult[]>;
  /** Ends when the daemon ends it; fails with `unavailable` when it breaks. */
  batchEvents(activityId: string, batchId: string, options: { signal: AbortSignal }): AsyncIterable<RuntimeEvent>;
}

export interface NetworkRecord {
  readonly id: string;
  readonly ip: string;
  readonly mask: string;
  readonly gateway?: string | undefined;
}

export interface DaemonNet {
  createNetwork(
    request: { readonly ip: string; readonly mask: string; readonly gateway?: string | undefined },
    call?: CallOptions,
  ): Promise<NetworkRecord>;
  removeNetwork(networkId: string, call?: CallOptions): Promise<void>;
  addNode(networkId: string, node: { readonly id: string; readonly ip: string }, call?: CallOptions): Promise<void>;
  removeNode(networkId: string, nodeId: string, call?: CallOptions): Promise<void>;
  /** WebSocket address of a TCP port of a node: `ws://…/net/{id}/tcp/{ip}/{port}`. */
  tcpUrl(networkId: string, ip: string, port: number): string;
}
