/** Moves files between this process and providers; each is reachable by a URL that only the daemon can use. */
export interface StorageProvider {
  /** Offers a local file, or bytes, for providers to fetch; gives its URL. */
  publish(source: string | Uint8Array): Promise<string>;
  /** Gives a URL that a provider can send one file to. */
  receive(target: ReceiveTarget): Promise<Reception>;
  /** Withdraws URLs given by publish or receive. */
  close(urls: readonly string[]): Promise<void>;
  /** Withdraws all of them. */
  shutdown(): Promise<void>;
}

/** `file`: where to write; it appears there only once complete. Without it the bytes are kept in memory. */
export interface ReceiveTarget {
  readonly file?: string;
  /** Default 64 MiB in memory, unlimited to a file. More is refused. */
  readonly maxBytes?: number;
}

export interface Reception {
  readonly url: string;
  /** The bytes received (empty for a file), once the provider says it has sent all. Fails when they are damaged. */
  readonly done: Promise<Uint8Array>;
}
