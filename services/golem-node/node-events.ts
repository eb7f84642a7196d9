import { Observable, Subject } from 'rxjs';

/** The paths that the local node has something to say on. */
const nodeTopics = ['/market', '/agreements', '/activities', '/payments'] as const;

export type NodeTopic = (typeof nodeTopics)[number];

/** Something that happened in the node. Values are what JSON can hold. */
export interface NodeEvent {
  readonly topic: NodeTopic;
  /** What happened, in past tense: `proposal-sent`, `agreement-approved`, `command-finished`, `invoice-accepted`… */
  readonly kind: string;
  /** Unix time in ms. */
  readonly atMs: number;
  /** Name of the provider concerned. */
  readonly provider?: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** Tells of everything that happens, as it happens, and keeps nothing. */
export class NodeEvents {
  readonly #subject = new Subject<NodeEvent>();
  readonly events$: Observable<NodeEvent> = new Observable((observer) => this.#subject.subscribe(observer));

  emit(topic: NodeTopic, kind: string, details: Readonly<Record<string, unknown>>, provider?: string): void {
    this.#subject.next({ topic, kind, atMs: Date.now(), ...(provider === undefined ? {} : { provider }), details });
  }

  close(): void {
    this.#subject.complete();
  }
}
