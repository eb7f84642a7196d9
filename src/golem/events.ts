import type { MeshError } from '../base/errors.js';
import type { ServiceState } from './life-cycle.js';
import type { ProviderInfo } from './offer.js';

/** Ids of what an event is about, as far as there are any. */
interface OfAgreement {
  readonly agreementId: string;
  readonly provider: ProviderInfo;
}
interface OfActivity extends OfAgreement {
  readonly activityId: string;
}
interface OfBatch extends OfActivity {
  readonly batchId: string;
}
interface OfCommand extends OfBatch {
  /** From 0. */
  readonly commandIndex: number;
}
interface OfProposal {
  readonly proposalId: string;
  readonly provider: ProviderInfo;
}
interface OfTask {
  readonly taskId: string;
}
interface Failed {
  readonly error: MeshError;
}
interface MayFail {
  /** Absent after success. */
  readonly error?: MeshError | undefined;
}

/** What each type of event carries beside `type`, `timeMs` and `jobId`. */
export interface GolemEventFields {
  JobStarted: { readonly expirationMs: number };
  JobFinished: MayFail;
  SubscriptionCreated: { readonly demandId: string };
  SubscriptionFailed: Failed;
  CollectFailed: Failed & { readonly demandId: string };
  ProposalReceived: OfProposal;
  ProposalRejected: OfProposal & { readonly reason: string };
  ProposalResponded: OfProposal;
  ProposalConfirmed: OfProposal & { readonly score: number };
  ProposalFailed: OfProposal & Failed;
  /** Nobody was found for a time; `offers` were seen until then. */
  NoProposalsConfirmed: { readonly offers: number; readonly waitedMs: number };
  AgreementCreated: OfAgreement & { readonly validToMs: number };
  AgreementConfirmed: OfAgreement;
  AgreementRejected: OfAgreement & { readonly reason: string };
  AgreementTerminated: OfAgreement & { readonly by: 'requestor' | 'provider'; readonly reason: string };
  /** Amounts are decimal GLM. */
  DebitNoteReceived: OfAgreement & { readonly debitNoteId: string; readonly amount: string };
  DebitNoteAccepted: OfAgreement & { readonly debitNoteId: string; readonly amount: string };
  PaymentFailed: OfAgreement & Failed;
  InvoiceReceived: OfAgreement & { readonly invoiceId: string; readonly amount: string };
  InvoiceAccepted: OfAgreement & { readonly invoiceId: string; readonly amount: string };
  WorkerStarted: OfAgreement;
  WorkerFinished: OfAgreement & MayFail;
  ActivityCreated: OfActivity;
  ActivityCreateFailed: OfAgreement & Failed;
  TaskStarted: OfTask & OfAgreement;
  TaskFinished: OfTask & OfAgreement & { readonly runningTimeMs: number };
  TaskAccepted: OfTask & { readonly result: unknown };
  TaskRejected: OfTask & { readonly reason: string; readonly retry: boolean };
  ServiceStateChanged: {
    readonly instanceId: string;
    readonly instanceName: string;
    readonly previous: ServiceState;
    readonly state: ServiceState;
    readonly provider?: ProviderInfo | undefined;
    /** Why, where there is more to say than the state itself. */
    readonly why?: string | undefined;
  };
  ServiceFinished: MayFail & {
    readonly instanceId: string;
    readonly instanceName: string;
    /** Kind of the termination's reason. */
    readonly reason: string;
  };
  ScriptSent: OfBatch & { readonly commands: readonly string[] };
  GettingResults: OfBatch;
  ScriptFinished: OfBatch & MayFail;
  CommandStarted: OfCommand & { readonly command: string };
  CommandStdOut: OfCommand & { readonly output: string };
  CommandStdErr: OfCommand & { readonly output: string };
  CommandProgress: OfCommand & { readonly progress: unknown };
  CommandExecuted: OfCommand & MayFail & { readonly command: string; readonly stdout: string; readonly stderr: string };
  DownloadStarted: OfActivity & { readonly path: string };
  DownloadFinished: OfActivity & { readonly path: string; readonly bytes?: number | undefined };
  ShutdownFinished: MayFail;
  ExecutionInterrupted: Failed;
  ComputationFinished: MayFail;
}

export type GolemEventType = keyof GolemEventFields;

/** Everything that happens, told apart by `type`. `jobId` names the cluster or computation, where there is one. */
export type GolemEvent = {
  [T in GolemEventType]: {
    readonly type: T;
    /** Unix time, ms. */
    readonly timeMs: number;
    readonly jobId?: string | undefined;
  } & GolemEventFields[T];
}[GolemEventType];

/** One type of event: `GolemEventOf<'InvoiceAccepted'>`. */
export type GolemEventOf<T extends GolemEventType> = Extract<GolemEvent, { readonly type: T }>;

export type EventConsumer = (event: GolemEvent) => void;

/** Sends an event on its way; stamps it. */
export type Emit = <T extends GolemEventType>(type: T, fields: GolemEventFields[T]) => void;
