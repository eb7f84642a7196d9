import { readFileSync } from 'node:fs';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { ServerCredentials } from '@grpc/grpc-js';
import { MeshError } from '../base/errors.js';

/** PEM files of a TLS end. A server needs `cert` and `key`; a `ca` on a server asks clients for certificates. */
export interface TlsFiles {
  /** This end's certificate. */
  readonly cert?: string;
  /** Its private key. */
  readonly key?: string;
  /** The authority that signed the peers' certificates; a client without one trusts the system's. */
  readonly ca?: string;
}

/** Plain text without `tls`. Errors: `invalid-argument` for a missing or unreadable file. */
export function serverCredentials(tls: TlsFiles | undefined): ServerCredentials {
  if (tls === undefined) return ServerCredentials.createInsecure();
  if (tls.cert === undefined || tls.key === undefined) {
    throw new MeshError('invalid-argument', 'a TLS server needs a certificate and its key (--tls-cert, --tls-key)');
  }
  const cert = read(tls.cert, '--tls-cert');
  const key = read(tls.key, '--tls-key');
  const ca = tls.ca === undefined ? null : read(tls.ca, '--tls-ca');
  // Made once here only to be told of files that do not fit.
  withPemErrors(() => createSecureContext({ cert, key, ...(ca === null ? {} : { ca }) }));
  return ServerCredentials.createSsl(ca, [{ cert_chain: cert, private_key: key }], ca !== null);
}

/** What Node's TLS needs of a client. Errors: `invalid-argument` for a missing or unreadable file. */
export function clientTls(tls: TlsFiles): SecureContextOptions {
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    throw new MeshError('invalid-argument', 'a client certificate and its key go together (--tls-cert, --tls-key)');
  }
  const options = {
    ...(tls.ca === undefined ? {} : { ca: read(tls.ca, '--tls-ca') }),
    ...(tls.cert === undefined ? {} : { cert: read(tls.cert, '--tls-cert') }),
    ...(tls.key === undefined ? {} : { key: read(tls.key, '--tls-key') }),
  };
  // Made once here only to be told of files that do not fit.
  withPemErrors(() => createSecureContext(options));
  return options;
}

function read(path: string, option: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new MeshError('invalid-argument', `${option} ${path}: ${(error as Error).message}`, { cause: error });
  }
}

function withPemErrors<T>(create: () => T): T {
  try {
    return create();
  } catch (error) {
    if (error instanceof MeshError) throw error;
    throw new MeshError('invalid-argument', `the TLS files do not fit together: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
