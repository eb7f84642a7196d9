import type { CommandResult } from './command.js';
import type { ProviderInfo } from './offer.js';
import type { Payload } from './payload.js';
import { Script, type ScriptOptions } from './script.js';
import { isCallersFault, type TerminationReason } from './termination.js';

/** A handler yields scripts and gets back their commands' results; a failing script is thrown at its `yield`. */
export type ServiceHandler = AsyncGenerator<Script, void, readonly CommandResult[]>;

/** The running instance, as its handlers see it. */
export interface WorkContext {
  readonly instanceId: string;
  readonly instanceName: string;
  readonly provider: ProviderInfo;
  readonly agreementId: string;
  readonly activityId: string;
  /** Address in the cluster's network, when there is one. */
  readonly address: string | undefined;
  /** Aborts when this handler should come to its end. After a grace time it is abandoned. */
  readonly signal: AbortSignal;
  newScript(options?: ScriptOptions): Script;
  /** What the provider has counted so far, and what that costs by the agreement's prices, GLM; undefined when they are not linear. */
  usage(): Promise<{ readonly counters: Readonly<Record<string, number>>; readonly cost: number | undefined }>;
  /** Waits for the next message sent to the instance, until `signal` aborts. */
  receive(): Promise<unknown>;
  /** The next message, or undefined when there is none. */
  tryReceive(): unknown;
  /** Sends a message out: it comes by the instance's `messages$`. */
  post(message: unknown): void;
}

/**
 * A service: what a provider has to run, and what to do while it starts, runs and stops. One object an instance.
 * `P` is what `instanceParams` holds. A parameter field `instanceName` names the instance.
 */
export abstract class Service<P = unknown> {
  readonly params: P;

  constructor(params: P) {
    this.params = params;
  }

  /** What providers have to offer. Not needed when `runService` is given a payload. */
  static getPayload(): Payload | undefined | Promise<Payload | undefined> {
    return undefined;
  }

  /** Runs once on each provider tried. Default: deploy and start. */
  async *start(work: WorkContext): ServiceHandler {
    const script = work.newScript();
    script.deploy();
    script.start();
    yield script;
  }

  /** Runs after start. Default: waits until told to stop. */
  async *run(work: WorkContext): ServiceHandler {
    await new Promise<void>((resolve) => {
      if (work.signal.aborted) resolve();
      else work.signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  /** Runs once after run, also when that failed; not when the provider is gone. Default: terminate. */
  async *shutdown(work: WorkContext): ServiceHandler {
    // Behind a command that hangs it would wait for that; the activity is destroyed afterwards in any case.
    const script = work.newScript({ timeoutMs: 30_000 });
    script.terminate();
    yield script;
  }

  /** Told at the very end of the instance; not when another provider is tried. */
  terminated(_reason: TerminationReason): void | Promise<void> {}

  /**
   * Whether another provider is tried after this end. `hasRun`: the start handler had succeeded. Never asked after
   * a stop. Default: when it never ran, and the failure is not the caller's own.
   */
  restartCondition(reason: TerminationReason, { hasRun }: { readonly hasRun: boolean }): boolean {
    return !hasRun && !isCallersFault(reason);
  }
}

/** The class of a service, as `runService` takes it. */
export interface ServiceClass<P = unknown, S extends Service = Service> {
  new (params: P): S;
  readonly name: string;
  getPayload(): Payload | undefined | Promise<Payload | undefined>;
}

const handlerNames = ['start', 'run', 'shutdown'] as const;

/** Errors: TypeError when a handler is plainly no async generator: an async function, or a generator without async. */
export function assertHandlers(serviceClass: ServiceClass<never>): void {
  for (const name of handlerNames) {
    const handler = (serviceClass.prototype as Record<string, unknown>)[name];
    const kind = Object.prototype.toString.call(handler);
    if (typeof handler === 'function' && kind !== '[object AsyncFunction]' && kind !== '[object GeneratorFunction]') {
      continue;
    }
    throw new TypeError(`${serviceClass.name}.${name} must be an async generator: async *${name}(work) { … }`);
  }
}

/** Calls a handler. Errors: TypeError when what it gives is no async generator. */
export function callHandler(service: Service, name: (typeof handlerNames)[number], work: WorkContext): ServiceHandler {
  const generator: unknown = service[name](work);
  const { next, throw: fail, return: end } = (generator ?? {}) as Partial<ServiceHandler>;
  if (typeof next === 'function' && typeof fail === 'function' && typeof end === 'function') {
    if (Symbol.asyncIterator in (generator as object)) return generator as ServiceHandler;
  }
  throw new TypeError(`${service.constructor.name}.${name} must be an async generator: async *${name}(work) { … }`);
}

/** The script of a `yield`. Errors: TypeError for anything else. */
export function assertScript(value: unknown, name: string): Script {
  if (value instanceof Script) return value;
  throw new TypeError(
    `${name} must yield scripts of work.newScript(); it yielded ${value === null ? 'null' : typeof value}`,
  );
}
