import { connect } from 'node:net';
import type { WebSocket } from 'ws';
import { isRecord } from './exe-script.js';
import { newId } from './ids.js';
import { badRequest, notFound, Problem } from './problem.js';

interface Network {
  readonly id: string;
  readonly ip: string;
  readonly mask: string;
  readonly gateway: string | undefined;
  /** Addresses by node id. */
  readonly nodes: Map<string, string>;
}

const mostNetworks = 1000;
const mostWaitingBytes = 4 << 20;

/**
 * Virtual private networks, in name: addresses are kept, but all activities share this machine's network. A TCP
 * connection to an address of a network therefore goes to the same port of the loopback interface.
 */
export class Networks {
  readonly #networks = new Map<string, Network>();

  create(request: unknown): object {
    const { ip, mask, gateway } = isRecord(request) ? request : {};
    if (typeof ip !== 'string') throw badRequest('a network needs an ip');
    if (this.#networks.size >= mostNetworks) throw badRequest(`more than ${mostNetworks} networks are open`);
    const network: Network = {
      id: newId(),
      ip: ip.split('/')[0]!,
      mask: typeof mask === 'string' ? mask : '255.255.255.0',
      gateway: typeof gateway === 'string' ? gateway : undefined,
      nodes: new Map(),
    };
    this.#networks.set(network.id, network);
    return view(network);
  }

  list(): object[] {
    return [...this.#networks.values()].map(view);
  }

  get(id: string): object {
    return view(this.#find(id));
  }

  remove(id: string): void {
    this.#find(id);
    this.#networks.delete(id);
  }

  nodes(id: string): object[] {
    return [...this.#find(id).nodes].map(([node, ip]) => ({ id: node, ip }));
  }

  addNode(id: string, request: unknown): void {
    const { nodes } = this.#find(id);
    const node = isRecord(request) ? request : {};
    if (typeof node.id !== 'string' || typeof node.ip !== 'string') throw badRequest('a node needs an id and an ip');
    if ([...nodes.values()].includes(node.ip)) throw new Problem(409, `address ${node.ip} is taken`);
    nodes.set(node.id, node.ip);
  }

  removeNode(id: string, nodeId: string): void {
    if (!this.#find(id).nodes.delete(nodeId)) throw notFound('node', nodeId);
  }

  /** Whether `ip` belongs to a node of the network. */
  reaches(id: string, ip: string): boolean {
    return [...(this.#networks.get(id)?.nodes.values() ?? [])].includes(ip);
  }

  /** Joins the WebSocket with the port until either side closes. */
  tunnel(port: number, socket: WebSocket): void {
    const stream = connect(port, '127.0.0.1');
    socket.on('message', (data: Buffer) => {
      // Nobody can be asked to wait on a WebSocket; who does not read loses the connection.
      if (stream.writableLength > mostWaitingBytes) stream.destroy();
      else stream.write(data);
    });
    socket.on('close', () => stream.destroy());
    socket.on('error', () => stream.destroy());
    stream.on('data', (bytes) => {
      stream.pause();
      socket.send(bytes, () => stream.resume());
    });
    stream.on('error', () => socket.terminate());
    stream.on('close', () => socket.close());
  }

  close(): void {
    this.#networks.clear();
  }

  #find(id: string): Network {
    const network = this.#networks.get(id);
    if (network === undefined) throw notFound('network', id);
    return network;
  }
}

function view({ id, ip, mask, gateway }: Network): object {
  return { id, ip, mask, gateway };
}
