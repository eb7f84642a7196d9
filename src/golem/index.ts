export {
  type AcquireOptions,
  AgreementsPool,
  type AgreementsPoolOptions,
  type BufferedAgreement,
} from './agreements-pool.js';
export { type Amount, formatAmount, parseAmount } from './amount.js';
export { Batch, type BatchEvent, type BatchOptions, PollingBatch, StreamingBatch } from './batch.js';
export type { Cluster } from './cluster.js';
export type { CommandResult } from './command.js';
export {
  type Comparison,
  type Constraint,
  formatConstraint,
  matchesConstraint,
  parseConstraint,
} from './constraint.js';
export type {
  ActivityState,
  AgreementRecord,
  AllocationRecord,
  CallOptions,
  GolemDaemon,
  Identity,
  PaymentDocument,
  ProposalRecord,
} from './daemon.js';
export { DemandBuilder } from './demand-builder.js';
export {
  BatchTimeoutError,
  CommandExecutionError,
  InvalidPropertiesError,
  NoPaymentAccountError,
  PackageException,
} from './errors.js';
export {
  type DefaultLoggerOptions,
  describeEvent,
  enableDefaultLogger,
  type LineWriter,
  logEvent,
  logEventRepr,
  representEvent,
} from './event-log.js';
export type { EventConsumer, GolemEvent, GolemEventFields, GolemEventOf, GolemEventType } from './events.js';
export { Executor, type ExecutorOptions, type Worker } from './executor.js';
export { Golem } from './golem.js';
export type { GolemOptions, RunServiceOptions } from './golem-options.js';
export type { HealthCheckOptions } from './health-check.js';
export { type RepositoryOptions, resolveImage, resolveRepoSrv } from './image-repository.js';
export { defaultStateDir } from './journal.js';
export {
  type ActiveState,
  lifeCycle,
  nextState,
  type ServiceSignal,
  type ServiceState,
  type Transition,
} from './life-cycle.js';
export type { GolemLogger } from './logger.js';
export { Activity, Com, ComLinear, Inf, NodeInfo, Runtime, VmRequest } from './models.js';
export type { Network, NetworkOptions } from './network.js';
export { counters, type LinearPrices, linearPrices, type OfferProposal, type ProviderInfo } from './offer.js';
export type { Payload } from './payload.js';
export type { DemandSpec, Properties } from './properties.js';
export { type ModelInstance, type ModelValues, type PropertyModel, property, propertyModel } from './property-model.js';
export type { RecoveryReport } from './recovery.js';
export { type DeployArgs, type DownloadOptions, type RunOptions, Script, type ScriptOptions } from './script.js';
export { Service, type ServiceClass, type ServiceHandler, type WorkContext } from './service.js';
export type { ServiceInstance } from './service-instance.js';
export type { StorageProvider } from './storage.js';
export {
  DecreaseScoreForUnconfirmedAgreement,
  DummyMS,
  LeastExpensiveLinearPayuMS,
  type LeastExpensiveOptions,
  type MarketStrategy,
  type MaximumPrices,
  scoreNeutral,
  scoreRejected,
  scoreTrusted,
} from './strategy.js';
export { logSummary, type Summary, SummaryLogger } from './summary-log.js';
export type { SuspendedInstance } from './suspended.js';
export { Task, type TaskStatus } from './task.js';
export { isCallersFault, type TerminationKind, type TerminationReason } from './termination.js';
export { type VmRepoOptions, vm } from './vm.js';
export { connectYagna, type YagnaOptions } from './yagna.js';
