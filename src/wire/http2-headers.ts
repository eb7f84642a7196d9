import { MeshError } from '../base/errors.js';
import type { HeaderFields } from '../http2/header-decoder.js';
import { isOk, refusalOf } from './status.js';
import type { Headers } from './types.js';

/*
 * gRPC's headers and trailers in HTTP/2.
 * Source: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md, "Requests" and "Responses".
 */

/** In which two furrow peers tell each other their versions. */
export const versionHeader = 'furrow-version';

/** The headers of a call: gRPC's own, the deadline, and what the caller adds. */
export function requestHeaders(
  authority: string,
  scheme: string,
  path: string,
  headers: Headers,
  timeoutMs: number | undefined,
): [name: string, value: string][] {
  const all: Record<string, string> = {
    ':method': 'POST',
    ':scheme': scheme,
    ':authority': authority,
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
    'user-agent': 'furrow',
    'grpc-accept-encoding': 'identity',
  };
  if (timeoutMs !== undefined) all['grpc-timeout'] = grpcTimeout(timeoutMs);
  for (const [name, value] of Object.entries(headers)) {
    all[name] = typeof value === 'string' ? value : Buffer.from(value).toString('base64');
  }
  return Object.entries(all);
}

/** What a server sent ahead of its messages. Values of `-bin` headers become bytes. */
export function responseHeaders(headers: HeaderFields): Headers {
  const entries = Object.entries(headers)
    .filter(([name, value]) => !name.startsWith(':') && value !== undefined)
    .map(([name, value]) => {
      const text = Array.isArray(value) ? value[0]! : (value as string);
      // Several binary values of one name are joined by commas; the first is ours.
      return [name, name.endsWith('-bin') ? Buffer.from(text.split(',')[0]!, 'base64') : text];
    });
  return Object.fromEntries(entries) as Headers;
}

/** Undefined when the response can be one of gRPC; otherwise what it is instead. */
export function notGrpc(headers: HeaderFields, peer: string): MeshError | undefined {
  const status = Number(headers[':status']);
  const contentType = headers['content-type'] ?? '';
  if (status === 200 && contentType.startsWith('application/grpc')) return undefined;
  const what = `HTTP ${status}${contentType === '' ? '' : `, ${contentType}`}`;
  const code = status === 401 ? 'unauthenticated' : status === 403 ? 'permission-denied' : 'unavailable';
  return new MeshError(code, `${peer} answers, but not with gRPC (${what}); is it the right port?`);
}

/**
 * The error that a call's trailers tell; undefined when it ended well. Where the peer is of another version than
 * `ownVersion`, the message says both.
 */
export function trailersError(
  trailers: HeaderFields,
  peer: string,
  ownVersion?: string | Uint8Array,
): MeshError | undefined {
  const status = trailers['grpc-status'];
  if (status === undefined) return new MeshError('unknown', `${peer} ended the call without a status`);
  const code = Number(status);
  if (isOk(code)) return undefined;
  const version = trailers[versionHeader];
  const details = decodeMessage(String(trailers['grpc-message'] ?? ''));
  return refusalOf(code, details, peer, version === undefined ? undefined : String(version), ownVersion);
}

/** At most eight digits and a unit, as the specification has it. */
function grpcTimeout(timeoutMs: number): string {
  const ms = Math.max(1, Math.ceil(timeoutMs));
  return ms < 1e8 ? `${ms}m` : `${Math.min(99_999_999, Math.ceil(ms / 1000))}S`;
}

/** grpc-message is percent-encoded; one that is not rightly so is shown as it came. */
function decodeMessage(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
