import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, readSync } from 'node:fs';
import { endianness } from 'node:os';

/** A TCP socket that listens on this machine. */
export interface ListeningSocket {
  /** As Node writes it: `127.0.0.1`, `::1`. */
  readonly address: string;
  readonly port: number;
  readonly inode: string;
}

/** A process, as a user can find it. */
export interface ProcessInfo {
  readonly pid: number;
  /** Its command line, at most 160 characters. */
  readonly command: string;
}

const listenState = '0A';

/** All listening TCP sockets, from Linux' /proc/net; undefined where there is none. */
export function listeningSockets(): readonly ListeningSocket[] | undefined {
  const tables = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) => readListening(file) ?? []);
  if (tables.length === 0) return undefined;
  return tables.flatMap((table) => table.split('\n').slice(1).flatMap(parseRow));
}

/**
 * The start of a table, where the kernel lists what listens, up to the first connection. Reading it all would cost
 * milliseconds on a machine with many connections. Undefined when there is no such table.
 */
function readListening(file: string): string | undefined {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(file, 'r');
    const chunk = Buffer.alloc(16_384);
    let text = '';
    for (let read = 1; read > 0 && !hasConnection(text); ) {
      read = readSync(descriptor, chunk, 0, chunk.length, null);
      text += chunk.toString('latin1', 0, read);
    }
    return text;
  } catch {
    return undefined;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

function hasConnection(table: string): boolean {
  return /^ *\d+: \S+ \S+ (?!0A)/m.test(table);
}

/** Whether a socket takes connections to `address:port`. */
export function listensOn({ address, port }: ListeningSocket, wanted: { address: string; port: number }): boolean {
  if (port !== wanted.port) return false;
  const same = [wanted.address, `::ffff:${wanted.address}`].map(canonical);
  return same.includes(canonical(address)) || address === '0.0.0.0' || address === '::';
}

/** The process that holds a socket. Undefined for those of other users, unless this is root. */
export function holderOf(socket: ListeningSocket): ProcessInfo | undefined {
  const link = `socket:[${socket.inode}]`;
  for (const pid of listOrEmpty('/proc').filter((name) => /^\d+$/.test(name))) {
    const descriptors = listOrEmpty(`/proc/${pid}/fd`);
    if (!descriptors.some((descriptor) => linkOr(`/proc/${pid}/fd/${descriptor}`) === link)) continue;
    const command = readOrEmpty(`/proc/${pid}/cmdline`).split('\0').join(' ').trim();
    return { pid: Number(pid), command: command.length > 160 ? `${command.slice(0, 160)}…` : command };
  }
  return undefined;
}

/** One row: `0: 0100007F:1389 00000000:0000 0A … inode`, addresses in 32-bit words of this machine's byte order. */
function parseRow(row: string): readonly ListeningSocket[] {
  const [, local = '', , state, , , , , , inode = ''] = row.trim().split(/\s+/);
  const [hex = '', port = ''] = local.split(':');
  if (state !== listenState || hex === '') return [];
  const words = Buffer.from(hex, 'hex');
  if (endianness() === 'LE') words.swap32();
  const address =
    words.length === 4 ? [...words].join('.') : canonical(words.toString('hex').match(/.{4}/g)?.join(':') ?? '');
  return [{ address, port: Number.parseInt(port, 16), inode }];
}

/** One spelling for each IPv6 address. */
function canonical(address: string): string {
  return address.includes(':') ? new URL(`http://[${address}]`).hostname.slice(1, -1) : address;
}

function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function listOrEmpty(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function linkOr(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
