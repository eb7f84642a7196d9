import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Workload } from '../workload.js';
import type { PublisherEnd, SubscriberEnd } from './types.js';

// Length of the payload, sequence.
const headBytes = 12;

/** Frames of a length, a sequence and a payload over plain TCP: what this machine's loopback and Node can move. */
export async function openPublisher(workload: Workload, port: number): Promise<PublisherEnd> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.setNoDelay(true));
    socket.on('error', () => sockets.delete(socket));
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const payload = Buffer.alloc(workload.payloadBytes, 0x5a);
  let last = -1;
  return {
    port: (server.address() as AddressInfo).port,
    get last() {
      return last;
    },
    async subscribed(count) {
      while (sockets.size < count) await delay(5);
    },
    publish() {
      last += 1;
      const head = Buffer.allocUnsafe(headBytes);
      head.writeUInt32LE(payload.length, 0);
      head.writeDoubleLE(last, 4);
      let waits: Promise<unknown>[] | undefined;
      for (const socket of sockets) {
        socket.cork();
        socket.write(head);
        const room = socket.write(payload);
        socket.uncork();
        if (room) continue;
        waits ??= [];
        waits.push(once(socket, 'drain'));
      }
      return waits === undefined ? undefined : Promise.all(waits);
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

export async function openSubscriber(_workload: Workload, port: number): Promise<SubscriberEnd> {
  const sockets: Socket[] = [];
  return {
    async subscribe(count, take) {
      for (let index = 0; index < count; index++) {
        const socket = connect(port, '127.0.0.1');
        socket.on('error', () => undefined);
        await once(socket, 'connect');
        socket.on(
          'data',
          splitter((sequence) => take(index, sequence, 0)),
        );
        sockets.push(socket);
      }
    },
    request: () => Promise.reject(new Error('node-net has no requests')),
    async close() {
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Finds the frames' ends without joining the chunks: a payload counts when its last byte is there. */
function splitter(take: (sequence: number) => void): (chunk: Buffer) => void {
  const head = Buffer.alloc(headBytes);
  let headAt = 0;
  let left = 0;
  return (chunk) => {
    let at = 0;
    while (at < chunk.length) {
      if (headAt < headBytes) {
        const copied = chunk.copy(head, headAt, at, Math.min(chunk.length, at + headBytes - headAt));
        headAt += copied;
        at += copied;
        if (headAt < headBytes) return;
        left = head.readUInt32LE(0);
      }
      const step = Math.min(left, chunk.length - at);
      left -= step;
      at += step;
      if (left > 0) return;
      headAt = 0;
      take(head.readDoubleLE(4));
    }
  };
}
