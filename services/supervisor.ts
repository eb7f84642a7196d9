import { setTimeout as sleep } from 'node:timers/promises';
import {
  arg,
  type EventClient,
  type Logger,
  type MeshEvent,
  requestOf,
  type SubscribeRequest,
  semantics,
  serviceMain,
} from 'furrow';

/*
 * A supervisor: for each sample above its confidence it asks the storage for a unit and tells the agent what remains.
 * It also follows what remains by itself (`residual=storage/residual`), so that agents that were told 0 go on when
 * room returns.
 */

interface AgentTypes {
  readonly publishes: { '/sample': { sample: number; task_id: number } };
  readonly requests: { '/update_residual': { request: number; reply: object } };
}

const retryMs = 250;
const lagReportMs = 10_000;
/** What a request meets whose service is gone, is stopped in its midst, or does not answer. */
const awayCodes = new Set(['unavailable', 'cancelled', 'deadline-exceeded']);

/** Says once that a service is away, and once that it is there again, whoever notices first. */
class Presence {
  private readonly name: string;
  private readonly logger: Logger;
  private isAway = false;

  constructor(client: EventClient<AgentTypes> | EventClient, logger: Logger) {
    this.name = client.name;
    this.logger = logger;
    client.state$.subscribe(({ status, reason = '' }) => {
      if (status === 'away') this.away(reason);
      if (status === 'connected') this.here();
    });
  }

  away(reason: string): void {
    if (!this.isAway) this.logger.warn(`waiting for ${this.name}: ${reason}`);
    this.isAway = true;
  }

  here(): void {
    if (this.isAway) this.logger.info(`${this.name} is there`);
    this.isAway = false;
  }
}

/** What remains: the newest value by the storage's own monotonic clock, so a late reply overtakes nothing. */
class Residual {
  value: number | undefined;
  private sentAt = Number.NEGATIVE_INFINITY;

  constructor(storage: EventClient) {
    // A storage that started again may do so on a machine whose clock did, too.
    atEachStart(storage, () => {
      this.sentAt = Number.NEGATIVE_INFINITY;
    });
  }

  take(event: MeshEvent<number>): void {
    const sent = event.stamp(semantics.serviceSend, '/monotonic');
    if (sent !== undefined && sent.stamp < this.sentAt) return;
    this.sentAt = sent?.stamp ?? this.sentAt;
    this.value = event.message;
  }
}

/** Tells one agent what remains, one request at a time; what changes meanwhile is told in the next one. */
class Agent {
  readonly client: EventClient<AgentTypes>;
  private readonly presence: Presence;
  private readonly residual: Residual;
  private readonly logger: Logger;
  private readonly signal: AbortSignal;
  private outdated = false;
  private telling = false;
  private missedCount = 0;
  private missedSaidAt = Number.NEGATIVE_INFINITY;

  constructor(client: EventClient<AgentTypes>, residual: Residual, logger: Logger, signal: AbortSignal) {
    this.client = client;
    this.presence = new Presence(client, logger);
    this.residual = residual;
    this.logger = logger;
    this.signal = signal;
    // An agent that was started again has forgotten what it was told.
    atEachStart(client, () => this.update());
  }

  update(): void {
    this.outdated = true;
    if (!this.telling) void this.tell();
  }

  /** Says at most every ten seconds that samples were lost, and how many. */
  missed(count: number): void {
    this.missedCount += count;
    if (performance.now() - this.missedSaidAt < lagReportMs) return;
    this.logger.warn(`missed ${this.missedCount} samples of ${this.client.name}: dropped, or sent while it was away`);
    this.missedSaidAt = performance.now();
    this.missedCount = 0;
  }

  private async tell(): Promise<void> {
    this.telling = true;
    while (this.outdated && !this.signal.aborted && this.residual.value !== undefined) {
      this.outdated = false;
      try {
        await this.client.request('/update_residual', this.residual.value, { signal: this.signal });
        this.presence.here();
      } catch (error) {
        if (this.signal.aborted) break;
        this.presence.away((error as Error).message);
        this.outdated = true;
        await sleep(retryMs, undefined, { signal: this.signal }).catch(() => undefined);
        await connected(this.client);
      }
    }
    this.telling = false;
  }
}

/** The storage, asked for a unit at each confident sample. */
class Storage {
  private readonly client: EventClient;
  private readonly presence: Presence;
  private readonly logger: Logger;
  private readonly signal: AbortSignal;

  constructor(client: EventClient, logger: Logger, signal: AbortSignal) {
    this.client = client;
    this.presence = new Presence(client, logger);
    this.logger = logger;
    this.signal = signal;
  }

  /** Waits while the storage is away. Undefined when it refuses for another reason, which is said, or at the end. */
  async update(): Promise<MeshEvent<number> | undefined> {
    for (let waiting = false; !this.signal.aborted; waiting = true) {
      try {
        const reply = await this.client.request('/update_storage', {}, { waitForReady: waiting, signal: this.signal });
        this.presence.here();
        return reply;
      } catch (error) {
        const { code, message } = error as { code: string; message: string };
        if (this.signal.aborted) return undefined;
        if (!awayCodes.has(code)) {
          this.logger.error(message);
          return undefined;
        }
        this.presence.away(message);
        await sleep(retryMs, undefined, { signal: this.signal }).catch(() => undefined);
      }
    }
    return undefined;
  }
}

/** NaN for an event that is no sample: one agent's fault must not stop the others. */
function sampleOf(event: MeshEvent<{ sample: number }>, logger: Logger): number {
  try {
    return Number(event.message?.sample);
  } catch (error) {
    logger.error((error as Error).message);
    return Number.NaN;
  }
}

/** Tells of each start of a service, as its client meets it. */
function atEachStart(client: EventClient<AgentTypes> | EventClient, listener: () => void): void {
  let known: string | undefined;
  client.state$.subscribe(({ epoch = known }) => {
    if (epoch === known) return;
    known = epoch;
    listener();
  });
}

/** Resolves when the service is there, or its client is closed. */
async function connected(client: EventClient<AgentTypes>): Promise<void> {
  let states: { unsubscribe(): void } | undefined;
  await new Promise<void>((resolve) => {
    const next = ({ status }: { status: string }): void => {
      if (status === 'connected') resolve();
    };
    states = client.state$.subscribe({ next, complete: resolve });
  });
  states?.unsubscribe();
}

await serviceMain({
  args: {
    confidence: arg.number({ min: 0, max: 1, description: 'samples above it are stored' }),
    residual: arg.string({ optional: true, description: 'SERVICE/path that publishes what remains' }),
    storage: arg.string({ default: 'storage', description: 'the service that stores' }),
  },

  async run({ service, mesh, config, args, logger, signal }) {
    const residual = new Residual(mesh.client(args.storage));
    const storage = new Storage(mesh.client(args.storage), logger, signal);
    const publishers = [...new Set(config.subscriptions.map(({ publisher }) => publisher))];
    const agents = new Map(
      publishers.map((name) => [name, new Agent(mesh.client<AgentTypes>(name), residual, logger, signal)] as const),
    );
    await service.start();

    const supervise = config.subscriptions.map(async (subscription) => {
      const agent = agents.get(subscription.publisher)!;
      const samples = agent.client.events(requestOf(subscription) as SubscribeRequest<'/sample'>, { signal });
      samples.gaps$.subscribe(({ count }) => agent.missed(count));
      for await (const event of samples) {
        if (!(sampleOf(event, logger) > args.confidence)) continue;
        const reply = await storage.update();
        if (reply === undefined) continue;
        logger.info(`Residual: value: ${reply.message}`);
        residual.take(reply);
        agent.update();
      }
    });
    const follow = async (servicePath: string): Promise<void> => {
      // Only the newest counts: a supervisor that was busy is not led through the past.
      for await (const event of mesh.events<number>(servicePath, { overflow: 'latest', signal })) {
        residual.take(event);
        for (const agent of agents.values()) agent.update();
      }
    };
    await Promise.all([...supervise, ...(args.residual === undefined ? [] : [follow(args.residual)])]);
  },
});
