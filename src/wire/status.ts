import type { status } from '@grpc/grpc-js';
import { MeshError, type MeshErrorCode, meshErrorCodes } from '../base/errors.js';

/** The gRPC status code of an error code: the names are gRPC's own, in its order from 1. */
export function statusOf(code: MeshErrorCode): status {
  return meshErrorCodes.indexOf(code) + 1;
}

/** The error code of a gRPC status code; a code that gRPC does not define reads as `unknown`. */
function codeOf(grpcStatus: number): MeshErrorCode {
  return meshErrorCodes[grpcStatus - 1] ?? 'unknown';
}

/** Whether a status says that the call ended well. */
export function isOk(grpcStatus: number): boolean {
  return grpcStatus === 0;
}

/** gRPC's name of a status, such as `DEADLINE_EXCEEDED`; the number itself where it defines none. */
function nameOf(grpcStatus: number): string {
  if (isOk(grpcStatus)) return 'OK';
  return meshErrorCodes[grpcStatus - 1]?.toUpperCase().replaceAll('-', '_') ?? String(grpcStatus);
}

/** The `cause` of an error that a peer sent: its gRPC status. */
interface PeerStatus {
  readonly grpcStatus: number;
  readonly details: string;
}

/** Whether the peer itself said this, rather than the link to it. */
export function isFromPeer({ cause }: MeshError): boolean {
  return typeof cause === 'object' && cause !== null && 'grpcStatus' in cause;
}

/**
 * What a peer's failed call becomes here: its code and message, and who said so. Where the peer is of another version
 * than `ownVersion`, the message says both.
 */
export function refusalOf(
  grpcStatus: number,
  details: string,
  peer: string,
  version?: string,
  ownVersion?: string | Uint8Array,
): MeshError {
  const message = details === '' ? `gRPC status ${nameOf(grpcStatus)}` : details;
  const skew = version !== undefined && ownVersion !== undefined && version !== ownVersion;
  const who = skew ? `${peer} (furrow ${version}; this is ${ownVersion})` : peer;
  return new MeshError(codeOf(grpcStatus), `${who}: ${message}`, {
    cause: { grpcStatus, details } satisfies PeerStatus,
  });
}
