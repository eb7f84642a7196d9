import { MeshError } from '../base/errors.js';

/** An IPv4 network: its first address as a number, and the length of its prefix. */
export interface Subnet {
  readonly base: number;
  readonly prefix: number;
}

/** Reads `192.168.0.0/24`; without a prefix, /24. Errors: `invalid-argument`. */
export function parseSubnet(text: string): Subnet {
  const [address = '', length = '24'] = text.split('/');
  const prefix = Number(length);
  if (!/^\d{1,2}$/.test(length) || prefix < 1 || prefix > 30) {
    throw new MeshError(
      'invalid-argument',
      `Network ${JSON.stringify(text)}: expected a prefix of 1 to 30, as in 192.168.0.0/24`,
    );
  }
  return { base: (parseAddress(address) & maskOf(prefix)) >>> 0, prefix };
}

export function parseAddress(text: string): number {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255)) {
    throw new MeshError('invalid-argument', `${JSON.stringify(text)} is no IPv4 address`);
  }
  return parts.reduce((sum, part) => sum * 256 + Number(part), 0);
}

export function formatAddress(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.');
}

export function formatMask({ prefix }: Subnet): string {
  return formatAddress(maskOf(prefix));
}

/** Whether an address can belong to a node: inside, and neither the network's own nor its broadcast address. */
export function isHost({ base, prefix }: Subnet, address: number): boolean {
  const inside = (address & maskOf(prefix)) >>> 0 === base;
  return inside && address !== base && address !== lastOf({ base, prefix });
}

/** The addresses nodes can have, in order. */
export function* hosts(subnet: Subnet): Generator<number> {
  for (let address = subnet.base + 1; address < lastOf(subnet); address += 1) yield address;
}

function maskOf(prefix: number): number {
  return (0xffffffff << (32 - prefix)) >>> 0;
}

function lastOf({ base, prefix }: Subnet): number {
  return (base | ~maskOf(prefix)) >>> 0;
}
