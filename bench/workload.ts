/** What the two ends of one run do, whatever the subject; travels to both as JSON. */
export interface Workload {
  /** `bytes`: a google.protobuf.BytesValue; `struct`: a google.protobuf.Struct of three fields. */
  readonly message: 'bytes' | 'struct';
  /** Bytes of the encoded payload, for `bytes`. */
  readonly payloadBytes: number;
  /** Subscriptions of the one subscriber process. */
  readonly subscribers: number;
  /** Whether each of them is of a client, and a connection, of its own. */
  readonly ownClients: boolean;
  /**
   * What a subscriber looks at in each event: its sequence; the whole envelope and a byte of the payload; the decoded
   * Struct; or the stamp that the publisher wrote into the payload.
   */
  readonly look: 'sequence' | 'envelope' | 'struct' | 'stamp';
  /** How a subscriber's program gets events: called for each, or by `for await`. */
  readonly style: 'callback' | 'iterator';
  /** Whether no payload is copied for the programs: the publisher writes to none again, the subscriber keeps none. */
  readonly lent: boolean;
  /** Let a subscriber that does not read lose events, instead of holding the publisher. */
  readonly dropping: boolean;
  /** PEM files, or none for plain text. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca: string };
}

/** The `google.protobuf.Struct` of the struct cases, as a natural value. */
export const structMessage = { sample: 0.7213814924044664, task_id: 3, label: 'agent-1' } as const;

/** Events one subscriber may lag behind: queues that drain within a second, and hold fewer bytes than furrow's bound. */
export function depthFor({ subscribers, payloadBytes }: Workload): number {
  // Less than what is published between two turns of the event loop would measure the waiting for turns.
  const byCount = Math.max(64, 16_384 / subscribers);
  const byBytes = 8_000_000 / (payloadBytes * subscribers);
  return Math.max(8, Math.floor(Math.min(1_000, byCount, byBytes)));
}
