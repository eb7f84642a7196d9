import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { Deadline } from '../base/deadline.js';

/** What a port turns out to be. */
export type PortSpeech =
  /** Plain HTTP/2, which gRPC runs on. */
  | 'http2'
  | 'tls'
  /** HTTP/1: a web server. */
  | 'http1'
  /** It answers something else. */
  | 'other'
  /** It takes connections and says nothing. */
  | 'silent';

export interface PortProbe {
  /** Undefined when no connection came about. */
  readonly speech?: PortSpeech;
  /** Then why: `ECONNREFUSED`, `ETIMEDOUT`, `ENOTFOUND` … */
  readonly code?: string;
}

// The connection preface and an empty SETTINGS frame. Source: RFC 9113, sections 3.4 and 6.5.
const preface = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
]);
const settingsFrame = 4;
const tlsAlert = 21;
const tlsMajor = 3;

/** Tells what listens on a port from the first bytes that it answers. Takes `timeoutMs` at most. */
export async function probePort(
  host: string,
  port: number,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<PortProbe> {
  using deadline = new Deadline(timeoutMs, signal);
  using patience = new Deadline(timeoutMs / 3, signal);
  const socket = connect({ host, port });
  try {
    await settle(socket, 'connect', deadline.signal);
    socket.write(preface);
    const speech = readSpeech(await firstBytes(socket, patience.signal));
    if (speech !== undefined) return { speech };
    // A TLS server may close without a word on what it does not understand.
    return { speech: (await speaksTls(host, port, deadline.signal)) ? 'tls' : 'silent' };
  } catch (error) {
    return { code: codeOf(error) };
  } finally {
    socket.destroy();
  }
}

async function speaksTls(host: string, port: number, limit: AbortSignal): Promise<boolean> {
  // Whom the certificate is for does not matter to what the port speaks.
  const socket = connectTls({ host, port, rejectUnauthorized: false, ALPNProtocols: ['h2'] });
  try {
    await settle(socket, 'secureConnect', limit);
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

async function settle(socket: Socket, event: string, limit: AbortSignal): Promise<void> {
  // Whatever goes wrong later is not of interest, but unheard it would end the process.
  socket.on('error', () => undefined);
  await once(socket, event, { signal: limit });
}

/** What a socket says first; empty when it closes, or says nothing within the limit. */
async function firstBytes(socket: Socket, limit: AbortSignal): Promise<Buffer> {
  try {
    const closed = once(socket, 'close', { signal: limit }).then(() => [Buffer.alloc(0)]);
    const [bytes] = await Promise.race([once(socket, 'data', { signal: limit }), closed]);
    return bytes as Buffer;
  } catch {
    return Buffer.alloc(0);
  }
}

function readSpeech(bytes: Buffer): PortSpeech | undefined {
  if (bytes.length === 0) return undefined;
  if (bytes[0] === tlsAlert && bytes[1] === tlsMajor) return 'tls';
  if (bytes.length >= 9 && bytes[3] === settingsFrame && bytes.readUInt32BE(5) === 0) return 'http2';
  return bytes.subarray(0, 5).toString('latin1') === 'HTTP/' ? 'http1' : 'other';
}

function codeOf(error: unknown): string {
  const { code, name, errors } = error as NodeJS.ErrnoException & { errors?: NodeJS.ErrnoException[] };
  if (name === 'AbortError') return 'ETIMEDOUT';
  return errors?.[0]?.code ?? code ?? 'unknown';
}

/** Why a port gave no service, in words. */
export function probeText({ speech, code }: PortProbe): string {
  if (speech === undefined) return refusals[code ?? ''] ?? `no connection (${code})`;
  return speeches[speech];
}

const refusals: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ETIMEDOUT: 'no answer: the machine is off, or a firewall drops what we send',
  EHOSTUNREACH: 'no route to that machine',
  ENETUNREACH: 'no route to that network',
  ENOTFOUND: 'the host name has no address',
  EAI_AGAIN: 'the name service does not answer',
  ECONNRESET: 'the connection was reset',
};

const speeches: Readonly<Record<PortSpeech, string>> = {
  http2: 'the port speaks plain HTTP/2',
  tls: 'the port speaks TLS',
  http1: 'a web server is there (HTTP/1), no event service',
  other: 'something is there that speaks neither HTTP/2 nor TLS',
  silent: 'something is there that takes connections and says nothing',
};
