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
  /** Begin with what the publisher still holds (`history=true` in the query). Absent where the query does not say. */
  readonly history?: boolean;
  /** Full name of the message type that the subscriber expects, if the query states one (`type=`). */
  readonly type?: string;
  /** JSON path in the file it was read from, for messages: `configs[2].subscriptions[0]`. */
  readonly at?: string;
}

/** A path that a service publishes, from its `uris`. */
export interface PublishedPath {
  readonly path: string;
  /** Full protobuf message name; empty when the uri states none, as in plain farm-ng configurations. */
  readonly type: string;
  /** Proto file of the type, as farm-ng peers import it: `google/protobuf/struct.proto`. Empty when not stated. */
  readonly pb: string;
  /** Events kept for subscribers that come back. Default 0. */
  readonly history: number;
  /** Whether the last event is kept for new subscribers. Default false. */
  readonly latch: boolean;
  /** JSON path in the file it was read from. */
  readonly at?: string;
}

/** A path that a service answers requests on, from its `uris` with scheme `request`. */
export interface RequestPath {
  /** Topic with its leading slash; a `*` at its end stands for any rest: `/header/*`. */
  readonly path: string;
  /** Full protobuf message names; empty when the uri states none. */
  readonly request: string;
  readonly reply: string;
  /** JSON path in the file it was read from. */
  readonly at?: string;
}

/** farm-ng's level numbers. */
export type LogLevel = 'notset' | 'debug' | 'info' | 'warning' | 'error' | 'critical';

/** One entry of a configuration. Without a port it is a set of subscriptions, not a server. */
export interface ServiceConfig {
  readonly name: string;
  /** Default `localhost`. */
  readonly host: string;
  /** 1 to 65535. */
  readonly port?: number;
  readonly subscriptions: readonly SubscriptionConfig[];
  readonly published: readonly PublishedPath[];
  readonly requests: readonly RequestPath[];
  /** Free strings, as written; `parseArgs` types them. */
  readonly args: readonly string[];
  readonly logLevel: LogLevel;
  /** JSON path in the file it was read from: `configs[2]`, or empty when the file is a single entry. */
  readonly at?: string;
}

/** A whole `service_config.json`, checked and frozen. */
export interface MeshConfig {
  /** The file it came from, for messages. */
  readonly file: string;
  readonly services: readonly ServiceConfig[];
}
