import { MeshError } from '../base/errors.js';
import { ClientConnection } from '../http2/client-connection.js';
import { clientTls, type TlsFiles } from './credentials.js';

// A camera frame of 1 MiB should travel without waiting for the reader's permission in the middle.
const streamWindowBytes = 2 * 1024 * 1024;
const connectionWindowBytes = 16 * 1024 * 1024;
const connectTimeoutMs = 5_000;

/** The HTTP/2 connection of a channel: made when needed, made anew when it broke. */
export class Http2Connection {
  /** `host:port` as an HTTP authority. */
  readonly authority: string;
  readonly scheme: 'http' | 'https';
  private readonly host: string;
  private readonly port: number;
  private readonly tls: TlsFiles | undefined;
  private readonly onRetire: (session: ClientConnection) => void;
  /** All that are there: one that connects, and those whose last calls go on, too. */
  private readonly sessions = new Set<ClientConnection>();
  private session: ClientConnection | undefined;
  private connecting: Promise<ClientConnection> | undefined;
  private closed = false;

  /** @param onRetire Called when a session takes no new calls any more. */
  constructor(
    host: string,
    port: number,
    options: { tls: TlsFiles | undefined; onRetire: Http2Connection['onRetire'] },
  ) {
    this.authority = `${host.includes(':') ? `[${host}]` : host}:${port}`;
    this.host = host;
    this.port = port;
    this.tls = options.tls;
    this.scheme = this.tls === undefined ? 'http' : 'https';
    this.onRetire = options.onRetire;
  }

  /** The session that takes calls, if there is one now. */
  get current(): ClientConnection | undefined {
    const { session } = this;
    if (session === undefined || session.takesStreams) return session;
    // One without numbers for new streams, after a day or two of a busy client.
    this.retire(session);
    return undefined;
  }

  /** A session that takes calls. Errors: `unavailable` when the server cannot be reached. */
  ready(): ClientConnection | Promise<ClientConnection> {
    if (this.closed) throw new MeshError('unavailable', `the channel to ${this.authority} is closed`);
    const { current } = this;
    if (current !== undefined) return current;
    this.connecting ??= this.connect().finally(() => {
      this.connecting = undefined;
    });
    return this.connecting;
  }

  /** Why the calls of a session that is gone have ended. */
  lost(session: ClientConnection): MeshError {
    const { reason } = session;
    const what = `the connection to ${this.authority} was lost${reason === undefined ? '' : `: ${reason.message}`}`;
    if (session.answered || this.closed) return new MeshError('unavailable', what, { cause: reason });
    const hint =
      this.tls === undefined
        ? 'does it ask for TLS (--tls-ca)?'
        : 'does it speak TLS, and does it ask for a client certificate (--tls-cert, --tls-key) of its own authority?';
    return new MeshError('unavailable', `${what} before it said anything; ${hint}`, { cause: reason });
  }

  close(): void {
    this.closed = true;
    for (const session of this.sessions) session.destroy(new Error('the channel was closed'));
  }

  private connect(): Promise<ClientConnection> {
    const { host, port, authority } = this;
    return new Promise((resolve, reject) => {
      const session = new ClientConnection({
        host,
        port,
        tls: this.tls === undefined ? undefined : clientTls(this.tls),
        streamWindowBytes,
        connectionWindowBytes,
        onOpen: () => {
          clearTimeout(timer);
          this.session = session;
          resolve(session);
        },
        onGoaway: () => this.retire(session),
        onClosed: () => {
          clearTimeout(timer);
          this.sessions.delete(session);
          this.retire(session);
          const { reason } = session;
          const why = reason === undefined ? 'it hung up' : reasonOf(reason);
          reject(new MeshError('unavailable', `cannot connect to ${authority}: ${why}`, { cause: reason }));
        },
      });
      this.sessions.add(session);
      const giveUp = (): void => session.destroy(new Error(`no answer within ${connectTimeoutMs} ms`));
      const timer = setTimeout(giveUp, connectTimeoutMs);
    });
  }

  /** Leaves a session to the calls that it has; new ones get another. */
  private retire(session: ClientConnection): void {
    if (this.session !== session) return;
    this.session = undefined;
    this.onRetire(session);
    session.leave();
  }
}

/** A failure to connect to several addresses of one name says what each answered. */
function reasonOf(error: Error & { code?: string; errors?: Error[] }): string {
  const reasons = (error.errors ?? [error]).map((one) => one.message || (one as { code?: string }).code || 'failed');
  return [...new Set(reasons)].join(', ');
}
