import { type Observable, Subject } from 'rxjs';
import { MeshError } from '../base/errors.js';
import { Control } from './control.js';
import type { Emit } from './events.js';
import { type ActiveState, isActive, nextState, type ServiceSignal, type ServiceState } from './life-cycle.js';
import { Mailbox } from './mailbox.js';
import type { ProviderInfo } from './offer.js';
import type { Service } from './service.js';
import { type Deferred, deferred } from './signals.js';
import type { TerminationReason } from './termination.js';

/** One instance of a service, from outside. */
export interface ServiceInstance<S extends Service = Service> {
  /** Stays the same when another provider is tried. */
  readonly id: string;
  /** `instanceName` of its parameters, else the class's name and a number. */
  readonly name: string;
  readonly state: ServiceState;
  /** Who runs it; while pending, who was left, if anybody was. */
  readonly provider: ProviderInfo | undefined;
  readonly agreementId: string | undefined;
  readonly activityId: string | undefined;
  /** Address in the cluster's network. */
  readonly address: string | undefined;
  /** Why it is in this state, where there is more to say: the last failure, or why it has ended. */
  readonly why: string | undefined;
  /** Once terminated. */
  readonly reason: TerminationReason | undefined;
  /** The user's own object. */
  readonly service: S;
  /** What its handlers post. Hot. */
  readonly messages$: Observable<unknown>;
  /** Resolves when it has terminated and nothing is left of it. */
  readonly ended: Promise<TerminationReason>;
  /** Sends a message to its handlers. Errors: `resource-exhausted` when 64 wait, `failed-precondition` once it has ended. */
  send(message: unknown): void;
  /** Tells it to stop: shutdown runs, unless it is still starting. It is not started again. */
  stop(): void;
  /** Stops the handler between batches and leaves the activity as it is, until `resume`: then the handler begins anew. */
  suspend(): void;
  resume(): void;
}

export interface LiveInstanceOptions<S> {
  readonly id: string;
  readonly name: string;
  readonly service: S;
  readonly address: string | undefined;
  readonly emit: Emit;
  readonly onChange: () => void;
}

/** The instance as the machinery handles it. */
export class LiveInstance<S extends Service = Service> implements ServiceInstance<S> {
  readonly id: string;
  readonly name: string;
  readonly service: S;
  /** The address wished for. */
  readonly wantedAddress: string | undefined;
  readonly mailbox = new Mailbox(64);
  readonly outbox = new Subject<unknown>();
  readonly messages$ = this.outbox.asObservable();
  readonly #emit: Emit;
  readonly #onChange: () => void;
  readonly #ended: Deferred<TerminationReason> = deferred();
  #state: ServiceState = 'pending';
  #left: ActiveState = 'starting';
  #control = new Control();
  #stopReason: TerminationReason | undefined;
  #killed: TerminationReason | undefined;
  provider: ProviderInfo | undefined;
  agreementId: string | undefined;
  activityId: string | undefined;
  address: string | undefined;
  why: string | undefined;
  reason: TerminationReason | undefined;

  constructor(options: LiveInstanceOptions<S>) {
    this.id = options.id;
    this.name = options.name;
    this.service = options.service;
    this.wantedAddress = options.address;
    this.#emit = options.emit;
    this.#onChange = options.onChange;
  }

  get state(): ServiceState {
    return this.#state;
  }

  get ended(): Promise<TerminationReason> {
    return this.#ended.promise;
  }

  get stopReason(): TerminationReason | undefined {
    return this.#stopReason ?? this.#killed;
  }

  /** The active state it is in, or was in before it was suspended or unresponsive. */
  get phase(): ActiveState {
    return isActive(this.#state) ? this.#state : this.#left;
  }

  get control(): Control {
    return this.#control;
  }

  /** A control for another attempt. A stop holds on; what went wrong before does not. */
  renewControl(): Control {
    this.#control = new Control();
    if (this.#stopReason) this.#control.stop(this.#stopReason);
    if (this.#killed) this.#control.abort(this.#killed);
    return this.#control;
  }

  /** Takes a signal: the table says where it leads. */
  apply(signal: ServiceSignal, why?: string): void {
    const previous = this.#state;
    // The handler of an unresponsive instance goes on, and what it does leads on from the state that was left.
    const isOfHandler = ['done', 'fail', 'stop', 'suspend'].includes(signal);
    const state = nextState(previous === 'unresponsive' && isOfHandler ? this.#left : previous, signal, this.#left);
    if (isActive(previous)) this.#left = previous;
    this.#state = state;
    this.why = why;
    const { id: instanceId, name: instanceName, provider } = this;
    this.#emit('ServiceStateChanged', { instanceId, instanceName, previous, state, provider, why });
    this.#onChange();
  }

  /** A resumed instance begins in the state it was left in. */
  adopt(phase: ActiveState): void {
    this.#left = phase;
    this.#state = 'suspended';
  }

  finish(reason: TerminationReason): void {
    this.reason = reason;
    this.outbox.complete();
    this.#ended.resolve(reason);
    this.#onChange();
  }

  send(message: unknown): void {
    if (this.#state === 'terminated') {
      throw new MeshError('failed-precondition', `Instance ${this.name} has terminated; it takes no messages`);
    }
    this.mailbox.put(message);
  }

  stop(): void {
    this.stopFor({ kind: 'stopped', message: 'It was told to stop' });
  }

  stopFor(reason: TerminationReason): void {
    this.#stopReason ??= reason;
    this.#control.stop(this.#stopReason);
  }

  /** Ends it at once, without shutdown and for good. */
  kill(reason: TerminationReason): void {
    this.#killed ??= reason;
    this.#control.abort(this.#killed);
  }

  suspend(): void {
    if (!isActive(this.#state)) {
      throw new MeshError(
        'failed-precondition',
        `Instance ${this.name} is ${this.#state}; only an active one can be suspended`,
      );
    }
    this.#control.suspend();
  }

  resume(): void {
    this.#control.resume();
  }
}
