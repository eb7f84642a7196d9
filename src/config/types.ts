/** What happens to an event that finds its subscriber's queue full. */
export type Overflow = 'drop-oldest' | 'drop-newest' | 'latest' | 'block';

export const overflowPolicies: readonly Overflow[] = ['drop-oldest', 'drop-newest', 'latest', 'block'];

/** How a publisher queues for one subscriber. Travels in the subscription's query. */
export interface QualityOfService {
  /** Events the queue holds, at least 1. Default 100. `latest` always keeps one. */
  readonly depth: number;
  /** Default `drop-oldest`. farm-ng's own policy is `drop-newest`. */
  readonly overflow: Overflow;
  /** `block` only: how long a publisher waits for room before it ends the subscriber, in ms. Default 1000. */
  readonly blockMs: number;
}

/** A subscription as a configuration states it: one edge of the mesh. */
export interface SubscriptionConfig {
  /** Name of the publishing service. */
  readonly publisher: string;
  /** Topic with its leading slash; `*` is every path, `/gps/*` every path below. */
  readonly path: string;
  /** Deliver every n-th sequence; 0 delivers all. */
  readonly everyN: number;
  /** Only what the query states. */
  readonly qos: Partial<QualityOfService>;
}

/** A path that a service publishes, from its `uris`. */
export interface PublishedPath {
  readonly path: string;
  /** Full protobuf message name. */
  readonly type: string;
  /** Proto file of the type, as farm-ng peers import it: `google/protobuf/struct.proto`. */
  readonly pb: string;
  /** Events kept for subscribers that come back. Default 0. */
  readonly history: number;
  /** Whether the last event is kept for new subscribers. Default false. */
  readonly latch: boolean;
}

/** A path that a service answers requests on, from its `uris` with scheme `request`. */
export interface RequestPath {
  readonly path: string;
  /** Full protobuf message names. */
  readonly request: string;
  readonly reply: string;
}

/** farm-ng's level numbers. */
export type LogLevel = 'notset' | 'debug' | 'info' | 'warning' | 'error' | 'critical';

/** One entry of a configuration. Without a port it is a set of subscriptions, not a server. */
export interface ServiceConfig {
  readonly name: string;
  readonly host: string;
  readonly port?: number;
  readonly subscriptions: readonly SubscriptionConfig[];
  readonly published: readonly PublishedPath[];
  readonly requests: readonly RequestPath[];
  /** Free strings, as written; `parseArgs` types them. */
  readonly args: readonly string[];
  readonly logLevel: LogLevel;
}

/** A whole `service_config.json`, checked and frozen. */
export interface MeshConfig {
  /** The file it came from, for messages. */
  readonly file: string;
  readonly services: readonly ServiceConfig[];
}
