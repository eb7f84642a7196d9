import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Certificates {
  readonly files: { readonly cert: string; readonly key: string; readonly ca: string };
  remove(): void;
}

/** A certificate for 127.0.0.1 from an authority made on the spot; undefined where openssl is not installed. */
export function makeCertificates(): Certificates | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'furrow-bench-'));
  const file = (name: string): string => join(folder, name);
  const openssl = (...args: string[]): void => {
    execFileSync('openssl', args, { stdio: 'ignore' });
  };
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  try {
    writeFileSync(file('extensions'), 'subjectAltName=IP:127.0.0.1,DNS:localhost\n');
    const authority = ['-keyout', file('ca.key'), '-out', file('ca.pem'), '-subj', '/CN=furrow bench', '-days', '2'];
    openssl('req', '-x509', ...curve, ...authority);
    openssl('req', ...curve, '-keyout', file('key.pem'), '-out', file('request.pem'), '-subj', '/CN=localhost');
    const signer = ['-CA', file('ca.pem'), '-CAkey', file('ca.key'), '-CAcreateserial', '-extfile', file('extensions')];
    openssl('x509', '-req', '-in', file('request.pem'), ...signer, '-out', file('cert.pem'), '-days', '2');
  } catch {
    rmSync(folder, { recursive: true });
    return undefined;
  }
  return {
    files: { cert: file('cert.pem'), key: file('key.pem'), ca: file('ca.pem') },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
