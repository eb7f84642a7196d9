import { fileURLToPath } from 'node:url';

/*
 * Certificates for tests, valid from 2020 to 2120 and worth nothing elsewhere. Made with openssl:
 *   openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes …
 *   openssl ca -startdate 20200101000000Z -enddate 21200101000000Z … (subjectAltName=DNS:localhost,IP:127.0.0.1)
 */

const file = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** A pair made out to localhost and 127.0.0.1, signed by `ca`. */
export const localhostTls = { cert: file('localhost.crt'), key: file('localhost.key') };

/** The authority behind `localhostTls`. */
export const ca = file('ca.crt');

/** An authority that signed nothing. */
export const otherCa = file('other-ca.crt');
