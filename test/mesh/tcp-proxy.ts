import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** Stands between a client and a service, and can cut the link or let it die without a word. Ends with the test. */
export class TcpProxy {
  readonly port: number;
  /** Connections accepted so far. */
  accepted = 0;
  private readonly links = new Set<{ near: Socket; far: Socket; dead: boolean }>();

  private constructor(port: number) {
    this.port = port;
  }

  static async to(target: number): Promise<TcpProxy> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const proxy = new TcpProxy((server.address() as AddressInfo).port);
    server.on('connection', (near) => proxy.link(near, connect(target, '127.0.0.1')));
    onTestFinished(() => {
      server.close();
      proxy.cut();
    });
    return proxy;
  }

  /** Closes every connection at both ends. */
  cut(): void {
    for (const { near, far } of this.links) {
      near.destroy();
      far.destroy();
    }
    this.links.clear();
  }

  /** Forwards nothing more on the connections of now, and closes none: a cable that was pulled. */
  stall(): void {
    for (const link of this.links) link.dead = true;
  }

  private link(near: Socket, far: Socket): void {
    this.accepted += 1;
    const link = { near, far, dead: false };
    this.links.add(link);
    const forward = (from: Socket, to: Socket): void => {
      from.setNoDelay();
      from.on('error', () => undefined);
      from.on('data', (bytes) => {
        if (!link.dead) to.write(bytes);
      });
      from.on('close', () => {
        if (!link.dead) to.destroy();
      });
    };
    forward(near, far);
    forward(far, near);
  }
}
