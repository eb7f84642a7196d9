import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { connect } from 'node:tls';
import { Deadline } from '../../base/deadline.js';
import type { TlsFiles } from '../../wire/credentials.js';
import { type PortProbe, probePort, probeText } from '../port-probe.js';
import { away, type Check, ok, wrong } from './finding.js';

export interface LinkOptions {
  readonly tls?: TlsFiles;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Name resolution, connection, and whether both ends speak TLS or neither. Stops at the first that fails. */
export async function checkLink(service: string, host: string, port: number, options: LinkOptions): Promise<Check[]> {
  const at = `${host}:${port}`;
  const name = await checkName(host);
  if (name.status !== 'ok') return [name];
  const probe = await probePort(host, port, options);
  if (probe.speech === undefined) {
    const advice =
      probe.code === 'ECONNREFUSED'
        ? `start it (furrow run ${service}), or correct its port in the configuration`
        : 'check the machine, its firewall, and the host in the configuration';
    return [name, away('port', `${at}: ${probeText(probe)}`, advice)];
  }
  return [name, ok('port', `${at} takes connections`), ...(await checkTls(at, host, port, probe, options))];
}

async function checkName(host: string): Promise<Check> {
  if (isIP(host) > 0) return ok('name', `${host} is an address`);
  try {
    const addresses = await lookup(host, { all: true });
    return ok('name', `${host} is ${addresses.map(({ address }) => address).join(', ')}`);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return wrong(
      'name',
      `host "${host}" has no address (${code})`,
      'correct the host in the configuration, or add it to /etc/hosts',
    );
  }
}

async function checkTls(
  at: string,
  host: string,
  port: number,
  probe: PortProbe,
  options: LinkOptions,
): Promise<Check[]> {
  const { tls } = options;
  switch (probe.speech) {
    case 'http2':
      if (tls === undefined) return [ok('tls', 'both ends speak plain text')];
      return [
        wrong(
          'tls',
          `${at} speaks plain text, and we were told to speak TLS`,
          'leave out --tls-…, or give the service its certificate',
        ),
      ];
    case 'tls': {
      if (tls === undefined)
        return [
          wrong(
            'tls',
            `${at} speaks TLS, and we speak plain text`,
            'give --tls-ca (and --tls-cert, --tls-key when it asks for them)',
          ),
        ];
      const fault = await certificateFault(host, port, tls, options);
      if (fault === undefined) return [ok('tls', 'both ends speak TLS, and the certificate is good')];
      return [
        wrong(
          'tls',
          `the certificate of ${at} is refused: ${fault}`,
          `--tls-ca must be the authority that signed it, and it must be made out to ${host}`,
        ),
      ];
    }
    default:
      return [
        wrong(
          'protocol',
          `${at}: ${probeText(probe)}`,
          'another program took the port, or the port in the configuration is wrong',
        ),
      ];
  }
}

/** Why the service's certificate is refused; undefined when it is not. */
async function certificateFault(
  host: string,
  port: number,
  { ca, cert, key }: TlsFiles,
  { timeoutMs, signal }: LinkOptions,
): Promise<string | undefined> {
  const socket = connect({
    host,
    port,
    ALPNProtocols: ['h2'],
    ...(isIP(host) > 0 ? {} : { servername: host }),
    ...(ca === undefined ? {} : { ca: readFileSync(ca) }),
    ...(cert === undefined ? {} : { cert: readFileSync(cert) }),
    ...(key === undefined ? {} : { key: readFileSync(key) }),
  });
  using deadline = new Deadline(timeoutMs, signal);
  try {
    await once(socket, 'secureConnect', { signal: deadline.signal });
    return undefined;
  } catch (error) {
    return (error as Error).message;
  } finally {
    socket.on('error', () => undefined);
    socket.destroy();
  }
}
