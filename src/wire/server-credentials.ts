import { createSecureContext } from 'node:tls';
import { ServerCredentials } from '@grpc/grpc-js';
import { MeshError } from '../base/errors.js';
import { readPem, type TlsFiles, withPemErrors } from './credentials.js';

/** Plain text without `tls`. Errors: `invalid-argument` for a missing or unreadable file. */
export function serverCredentials(tls: TlsFiles | undefined): ServerCredentials {
  if (tls === undefined) return ServerCredentials.createInsecure();
  if (tls.cert === undefined || tls.key === undefined) {
    throw new MeshError('invalid-argument', 'a TLS server needs a certificate and its key (--tls-cert, --tls-key)');
  }
  const cert = readPem(tls.cert, '--tls-cert');
  const key = readPem(tls.key, '--tls-key');
  const ca = tls.ca === undefined ? null : readPem(tls.ca, '--tls-ca');
  // Made once here only to be told of files that do not fit.
  withPemErrors(() => createSecureContext({ cert, key, ...(ca === null ? {} : { ca }) }));
  return ServerCredentials.createSsl(ca, [{ cert_chain: cert, private_key: key }], ca !== null);
}
