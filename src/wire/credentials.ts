import { readFileSync } from 'node:fs';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
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

/** What Node's TLS needs of a client. Errors: `invalid-argument` for a missing or unreadable file. */
export function clientTls(tls: TlsFiles): SecureContextOptions {
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    throw new MeshError('invalid-argument', 'a client certificate and its key go together (--tls-cert, --tls-key)');
  }
  const options = {
    ...(tls.ca === undefined ? {} : { ca: readPem(tls.ca, '--tls-ca') }),
    ...(tls.cert === undefined ? {} : { cert: readPem(tls.cert, '--tls-cert') }),
    ...(tls.key === undefined ? {} : { key: readPem(tls.key, '--tls-key') }),
  };
  // Made once here only to be told of files that do not fit.
  withPemErrors(() => createSecureContext(options));
  return options;
}

/** Errors: `invalid-argument`, naming the option that the file came from. */
export function readPem(path: string, option: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new MeshError('invalid-argument', `${option} ${path}: ${(error as Error).message}`, { cause: error });
  }
}

/** What `create` gives. Errors: `invalid-argument` for files that do not fit together. */
export function withPemErrors<T>(create: () => T): T {
  try {
    return create();
  } catch (error) {
    if (error instanceof MeshError) throw error;
    throw new MeshError('invalid-argument', `the TLS files do not fit together: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
