import { Broker } from '../broker.js';
import { EndProcess, type Role } from '../end-process.js';
import { launchOf, type Subject, type SubjectOptions } from '../subjects.js';
import type { Workload } from '../workload.js';

/** The figures of one run: those of the case's measures by their names, and details beside them. */
export type Figures = Record<string, number>;

export interface RunTimes {
  readonly warmMs: number;
  readonly measureMs: number;
}

interface PairParts {
  readonly broker: Broker | undefined;
  readonly brokerMs: number;
  readonly profileStem: string | undefined;
}

/** Both ends of a subject, each a fresh process, and the broker between them where there is one. */
export class Pair {
  readonly publisher: EndProcess;
  readonly subscriber: EndProcess;
  readonly broker: Broker | undefined;
  private readonly profileStem: string | undefined;
  /** How long the broker took to start. */
  readonly brokerMs: number;

  private constructor(
    ends: { publisher: EndProcess; subscriber: EndProcess },
    { broker, brokerMs, profileStem }: PairParts,
  ) {
    this.publisher = ends.publisher;
    this.subscriber = ends.subscriber;
    this.broker = broker;
    this.brokerMs = brokerMs;
    this.profileStem = profileStem;
  }

  /** `oneByOne` starts the subscriber's process only when the publisher is open. */
  static async open(
    subject: Subject,
    workload: Workload,
    options: SubjectOptions,
    { oneByOne = false, profileStem }: { oneByOne?: boolean; profileStem?: string | undefined } = {},
  ): Promise<Pair> {
    const startMs = performance.now();
    const broker = subject === 'nats' ? await Broker.start(workload.tls) : undefined;
    const brokerMs = performance.now() - startMs;
    const start = (role: Role): EndProcess => new EndProcess(`${subject}'s ${role}`, launchOf(subject, role, options));
    const publisher = start('publisher');
    let subscriber = oneByOne ? undefined : start('subscriber');
    try {
      const port = await publisher.ask<number>('open', { workload, port: broker?.port ?? 0 });
      subscriber ??= start('subscriber');
      await subscriber.ask('open', { workload, port });
      return new Pair({ publisher, subscriber }, { broker, brokerMs, profileStem });
    } catch (error) {
      await Promise.all([publisher.close(), subscriber?.close(), broker?.close()]);
      throw error;
    }
  }

  /** Starts `count` subscriptions and waits until the publisher has them all. */
  async subscribe(count: number, { stalled = false, before = 0 } = {}): Promise<void> {
    await this.subscriber.ask('subscribe', { count, stalled });
    await this.publisher.ask('subscribed', { count: before + count });
  }

  /** Profiles both ends while `measured` runs, where that was asked for. */
  async profiled<T>(measured: () => Promise<T>): Promise<T> {
    const { profileStem, publisher, subscriber } = this;
    if (profileStem === undefined) return measured();
    await Promise.all([publisher.ask('profile'), subscriber.ask('profile')]);
    const result = await measured();
    const file = (role: Role): { file: string } => ({ file: `${profileStem}-${role}.cpuprofile` });
    await Promise.all([publisher.ask('profiled', file('publisher')), subscriber.ask('profiled', file('subscriber'))]);
    return result;
  }

  async close(): Promise<void> {
    // A subscriber whose publisher goes first would call that a failure.
    await this.subscriber.close();
    await this.publisher.close();
    await this.broker?.close();
  }
}
