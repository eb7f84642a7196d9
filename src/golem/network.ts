import { MeshError } from '../base/errors.js';
import type { CallOptions, GolemDaemon, NetworkRecord } from './daemon.js';
import { formatAddress, formatMask, hosts, isHost, parseAddress, parseSubnet, type Subnet } from './network-address.js';
import type { DeployArgs } from './script.js';

export interface NetworkOptions {
  /** Default `192.168.0.0/24`. */
  readonly ip?: string;
  /** The requestor's own address. Default the first one. */
  readonly ownerIp?: string;
  readonly gateway?: string;
}

/** A virtual network between this requestor and its instances. Providers need the capability `vpn`. */
export class Network {
  readonly #daemon: GolemDaemon;
  readonly #record: NetworkRecord;
  readonly #subnet: Subnet;
  /** Node id → address. */
  readonly #nodes = new Map<string, string>();
  /** Addresses spoken for, by nodes or by wishes of instances to come. */
  readonly #taken = new Set<string>();
  #removed = false;

  private constructor(daemon: GolemDaemon, record: NetworkRecord, subnet: Subnet) {
    this.#daemon = daemon;
    this.#record = record;
    this.#subnet = subnet;
  }

  static async create(daemon: GolemDaemon, ownerId: string, options: NetworkOptions = {}): Promise<Network> {
    const subnet = parseSubnet(options.ip ?? '192.168.0.0/24');
    const request = { ip: formatAddress(subnet.base), mask: formatMask(subnet), gateway: options.gateway };
    const network = new Network(daemon, await daemon.net.createNetwork(request), subnet);
    try {
      await network.addNode(ownerId, options.ownerIp === undefined ? {} : { ip: options.ownerIp });
      return network;
    } catch (error) {
      await network.remove().catch(() => undefined);
      throw error;
    }
  }

  get id(): string {
    return this.#record.id;
  }

  /** Node id → address. */
  get nodes(): ReadonlyMap<string, string> {
    return this.#nodes;
  }

  /** Errors: `invalid-argument` when an address cannot belong to a node of this network. */
  check(ip: string): void {
    if (isHost(this.#subnet, parseAddress(ip))) return;
    const text = `${formatAddress(this.#subnet.base)}/${this.#subnet.prefix}`;
    throw new MeshError('invalid-argument', `${ip} is no address for a node of the network ${text}`);
  }

  /** Keeps an address from being given out automatically. */
  reserve(ip: string): void {
    this.check(ip);
    this.#taken.add(ip);
  }

  /** Adds a node, by default with the next free address; gives its address. */
  async addNode(nodeId: string, options: CallOptions & { readonly ip?: string } = {}): Promise<string> {
    if (this.#removed) throw new MeshError('failed-precondition', `Network ${this.id} has been removed`);
    if (this.#nodes.has(nodeId)) {
      throw new MeshError(
        'already-exists',
        `Node ${nodeId} is in network ${this.id} already; one provider can hold one address`,
      );
    }
    const { ip, ...call } = options;
    if (ip !== undefined) this.reserve(ip);
    if (ip !== undefined && [...this.#nodes.values()].includes(ip)) {
      throw new MeshError('already-exists', `Address ${ip} is in use in network ${this.id}`);
    }
    const address = ip ?? this.#free();
    this.#taken.add(address);
    this.#nodes.set(nodeId, address);
    try {
      await this.#daemon.net.addNode(this.id, { id: nodeId, ip: address }, call);
      return address;
    } catch (error) {
      this.#nodes.delete(nodeId);
      if (ip === undefined) this.#taken.delete(address);
      throw error;
    }
  }

  /** Takes a node out; of no effect when it is not there. */
  async removeNode(nodeId: string, options: { readonly keepAddress?: boolean } = {}): Promise<void> {
    const ip = this.#nodes.get(nodeId);
    if (ip === undefined) return;
    this.#nodes.delete(nodeId);
    if (!options.keepAddress) this.#taken.delete(ip);
    if (!this.#removed) await this.#daemon.net.removeNode(this.id, nodeId, { timeoutMs: 5000 });
  }

  /** What a node's deploy command needs. */
  deployArgs(nodeId: string): DeployArgs {
    const nodeIp = this.#nodes.get(nodeId);
    if (nodeIp === undefined) throw new MeshError('not-found', `Node ${nodeId} is not in network ${this.id}`);
    const { id, ip, mask, gateway } = this.#record;
    const nodes = Object.fromEntries([...this.#nodes].map(([node, address]) => [address, node]));
    return { net: [{ id, ip, mask, ...(gateway ? { gateway } : {}), nodeIp, nodes }] };
  }

  /** WebSocket address of a TCP port of a node. */
  tcpUrl(ip: string, port: number): string {
    return this.#daemon.net.tcpUrl(this.id, ip, port);
  }

  async remove(): Promise<void> {
    if (this.#removed) return;
    this.#removed = true;
    await this.#daemon.net.removeNetwork(this.id, { timeoutMs: 5000 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.remove();
  }

  #free(): string {
    for (const address of hosts(this.#subnet)) {
      const text = formatAddress(address);
      if (!this.#taken.has(text)) return text;
    }
    throw new MeshError('resource-exhausted', `Network ${this.id} has no free address left`);
  }
}
