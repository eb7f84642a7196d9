/** An event with its payload, as the probe prints it. int64 fields are decimal strings. */
interface CarriedEvent {
  readonly event: {
    readonly uri: PeerUri;
    readonly timestamps: readonly { readonly stamp: number; readonly clockName: string; readonly semantics: string }[];
    readonly payloadLength: string;
    readonly sequence: string;
  };
  /** The payload's bytes; of a decoded message, its deterministic encoding. */
  readonly payloadHex: string;
  /** Canonical proto3 JSON of the payload; null where the probe was told not to decode. */
  readonly message: unknown;
}

interface PeerUri {
  readonly scheme: string;
  readonly authority: string;
  readonly path: string;
  readonly query: string;
}

/** A call that failed: gRPC's status by its upper-case name. */
interface CallFailure {
  readonly code: string;
  readonly details: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** A message that was sent or came, by what it says of itself and the SHA-256 of its bytes in hex. */
export interface SeenMessage {
  readonly path: string;
  readonly sequence: number;
  readonly digest: string;
}

/** What the probe and the matrix peer print, by `kind`. */
export interface PeerLines {
  /** A server is up. */
  listening: { readonly port: number };
  /** A server gained (1) or lost (-1) a subscriber. From +1 on, the subscriber misses nothing. */
  subscriber: { readonly change: 1 | -1; readonly path: string; readonly query: string };
  published: { readonly path: string; readonly sequence: number; readonly subscribers: number };
  /** A publish that farm-ng refuses, such as another type on the same path. */
  refused: { readonly path: string; readonly message: string };
  /** A request that reached the service. */
  request: CarriedEvent;
  /** A subscribe call was made. */
  subscribing: object;
  /** The server's headers have arrived. */
  open: { readonly metadata: Readonly<Record<string, string>> };
  event: CarriedEvent;
  /** The server ended the stream with an error status. */
  end: CallFailure;
  reply: CarriedEvent;
  /** A request or a listing failed. */
  error: CallFailure;
  uris: { readonly uris: readonly PeerUri[] };
  config: { readonly config: Readonly<Record<string, unknown>> };
  vector: GoldenVector;
  /** Files of a descriptor set, and those that the peer reads otherwise. */
  protos: { readonly files: readonly string[]; readonly differ: readonly string[] };
  /** The matrix peer serves on two ports. */
  serving: { readonly port: number; readonly tlsPort: number };
  /** It published. */
  sent: { readonly message: SeenMessage };
  /** A message of its subscription `id`, and that subscription's end. */
  came: { readonly id: string; readonly message: SeenMessage };
  over: { readonly id: string; readonly code: string; readonly details: string };
  /** The probe gave up. */
  deadline: { readonly deadlineMs: number };
}

/** One golden vector: a message of `type`, as proto3 JSON and as bytes. */
export interface GoldenVector {
  readonly name: string;
  readonly type: string;
  readonly json: unknown;
  readonly hex: string;
}
