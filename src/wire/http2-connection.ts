import { type ClientHttp2Session, connect, constants } from 'node:http2';
import { MeshError } from '../base/errors.js';
import { clientTls, type TlsFiles } from './credentials.js';

// A camera frame of 1 MiB should travel without waiting for the reader's permission in the middle.
const streamWindowBytes = 2 * 1024 * 1024;
const connectionWindowBytes = 32 * 1024 * 1024;
const connectTimeoutMs = 5_000;

/** The HTTP/2 session of a channel: made when needed, made anew when it broke. */
export class Http2Connection {
  /** `host:port` as an HTTP authority. */
  readonly authority: string;
  readonly scheme: 'http' | 'https';
  private readonly tls: TlsFiles | undefined;
  private session: ClientHttp2Session | undefined;
  private connecting: Promise<ClientHttp2Session> | undefined;
  private closed = false;
  /** Sessions whose server has answered in HTTP/2. */
  private readonly answered = new WeakSet<ClientHttp2Session>();

  constructor(host: string, port: number, tls: TlsFiles | undefined) {
    this.authority = `${host.includes(':') ? `[${host}]` : host}:${port}`;
    this.scheme = tls === undefined ? 'http' : 'https';
    this.tls = tls;
  }

  /** The session that takes calls, if there is one now. */
  get current(): ClientHttp2Session | undefined {
    const { session } = this;
    return session === undefined || session.closed || session.destroyed ? undefined : session;
  }

  /** A session that takes calls. Errors: `unavailable` when the server cannot be reached. */
  ready(): ClientHttp2Session | Promise<ClientHttp2Session> {
    if (this.closed) throw new MeshError('unavailable', `the channel to ${this.authority} is closed`);
    const { current } = this;
    if (current !== undefined) return current;
    this.connecting ??= this.connect().finally(() => {
      this.connecting = undefined;
    });
    return this.connecting;
  }

  /** Why the calls of a session that is gone have ended. */
  lost(session: ClientHttp2Session): MeshError {
    const what = `the connection to ${this.authority} was lost`;
    if (this.answered.has(session)) return new MeshError('unavailable', what);
    const hint =
      this.tls === undefined
        ? 'does it ask for TLS (--tls-ca)?'
        : 'does it speak TLS, and does it ask for a client certificate (--tls-cert, --tls-key) of its own authority?';
    return new MeshError('unavailable', `${what} before it said anything; ${hint}`);
  }

  close(): void {
    this.closed = true;
    this.session?.destroy(new Error('the channel was closed'), constants.NGHTTP2_CANCEL);
    this.session = undefined;
  }

  private connect(): Promise<ClientHttp2Session> {
    const tls = this.tls === undefined ? {} : clientTls(this.tls);
    const session = connect(`${this.scheme}://${this.authority}`, {
      ...tls,
      settings: { enablePush: false, initialWindowSize: streamWindowBytes, maxFrameSize: 1024 * 1024 },
      // Node's default of 10 MB would end sessions that carry many streams.
      maxSessionMemory: Number.MAX_SAFE_INTEGER,
    });
    // Its streams hear of a broken session; nothing is to be done here but not to crash.
    session.on('error', () => undefined);
    session.once('remoteSettings', () => this.answered.add(session));
    return new Promise((resolve, reject) => {
      const fail = (error: Error): void => {
        clearTimeout(timer);
        session.destroy();
        reject(
          new MeshError('unavailable', `cannot connect to ${this.authority}: ${reasonOf(error)}`, { cause: error }),
        );
      };
      const timer = setTimeout(() => fail(new Error(`no answer within ${connectTimeoutMs} ms`)), connectTimeoutMs);
      session.once('error', fail);
      session.once('connect', () => {
        clearTimeout(timer);
        if (this.closed) return fail(new Error('the channel was closed'));
        session.off('error', fail);
        // The server has announced that it goes away: new calls need a new session.
        session.once('goaway', () => this.retire(session));
        session.once('close', () => this.retire(session));
        session.setLocalWindowSize(connectionWindowBytes);
        this.session = session;
        resolve(session);
      });
    });
  }

  /** Leaves a session to the calls that it has; new ones get another. */
  retire(session: ClientHttp2Session): void {
    if (this.session === session) this.session = undefined;
    session.close();
  }
}

/** A failure to connect to several addresses of one name says what each answered. */
function reasonOf(error: Error & { code?: string; errors?: Error[] }): string {
  const reasons = (error.errors ?? [error]).map((one) => one.message || (one as { code?: string }).code || 'failed');
  return [...new Set(reasons)].join(', ');
}
