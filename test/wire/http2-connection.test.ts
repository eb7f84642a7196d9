import { expect, onTestFinished, test, vi } from 'vitest';
import { errorCodes } from '../../src/http2/frames.js';
import { Channel, type ChannelOptions } from '../../src/wire/channel.js';
import { framePrefix } from '../../src/wire/frames.js';
import { dataFrame, goawayFrame, headersFrame, numbers, rawServer, settingsFrameOf } from '../http2/raw-peer.js';
import { ca } from '../tls/files.js';
import { messagesOf } from './framed.js';

const ok: [string, string][] = [
  [':status', '200'],
  ['content-type', 'application/grpc'],
];

async function channelTo(greeting = settingsFrameOf(), options: Partial<ChannelOptions> = {}) {
  const server = await rawServer({ greeting });
  const channel = new Channel('127.0.0.1', server.port, { maxMessageBytes: 1000, ...options });
  onTestFinished(() => channel.close());
  return { channel, accept: server.accept };
}

/** What a stream brings, as text. */
function gather(channel: Channel, options = {}) {
  const messages: string[] = [];
  const ended = channel.stream('subscribe', new Uint8Array(0), options).receive((blocks) => {
    messages.push(...messagesOf(blocks).map(String));
  });
  ended.catch(() => undefined);
  return { messages, ended };
}

const message = (text: string) => Buffer.concat([framePrefix(text.length), Buffer.from(text)]);

test('a server that answers before it has read the request is heard, and told that nothing more comes', async () => {
  const { channel, accept } = await channelTo();
  const asked = channel.unary('requestReply', new Uint8Array(200_000), { timeoutMs: 10_000 });
  const peer = await accept();
  // All that the window lets through.
  for (let bytes = 0; bytes < 65_535; ) bytes += (await peer.next(0)).payload.length;
  peer.send(headersFrame(1, 1, ...ok, ['grpc-status', '8'], ['grpc-message', 'too long']));
  await expect(asked).rejects.toMatchObject({ code: 'resource-exhausted', message: expect.stringMatching(/too long/) });
  expect(await peer.next(3)).toMatchObject({ stream: 1, payload: numbers(errorCodes.noError) });
});

test('what a server said before it went away with an error is not lost', async () => {
  const { channel, accept } = await channelTo();
  const { messages, ended } = gather(channel);
  const peer = await accept();
  await peer.next(1);
  peer.send(headersFrame(1, 0, ...ok), dataFrame(1, message('a')), dataFrame(1, message('b')), goawayFrame(1, 2));
  await expect(ended).rejects.toMatchObject({ code: 'unavailable', message: expect.stringMatching(/HTTP\/2 code 2/) });
  expect(messages).toEqual(['a', 'b']);
});

test('closing a channel ends the calls of a connection that its server has left, too', async () => {
  const { channel, accept } = await channelTo();
  const first = gather(channel);
  const old = await accept();
  await old.next(1);
  old.send(headersFrame(1, 0, ...ok), dataFrame(1, message('a')), goawayFrame(2 ** 31 - 1, 0), goawayFrame(1, 0));
  await expect.poll(() => first.messages).toEqual(['a']);
  const second = gather(channel);
  const young = await accept();
  await young.next(1);
  old.send(dataFrame(1, message('b')));
  await expect.poll(() => first.messages).toEqual(['a', 'b']);
  channel.close();
  await expect(first.ended).rejects.toMatchObject({ code: 'unavailable' });
  await expect(second.ended).rejects.toMatchObject({ code: 'unavailable' });
  await Promise.all([old.gone, young.gone]);
});

test('closing a channel that still connects ends its calls', async () => {
  // It never answers the handshake.
  const { channel, accept } = await channelTo(Buffer.alloc(0), { tls: { ca } });
  const { ended } = gather(channel);
  const waiting = gather(channel, { waitForReady: true });
  const peer = await accept();
  channel.close();
  await expect(ended).rejects.toMatchObject({ code: 'unavailable', message: expect.stringMatching(/was closed/) });
  await expect(waiting.ended).rejects.toMatchObject({ code: 'unavailable' });
  await peer.gone;
});

test('a server that takes the connection and says nothing is given up', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const { channel, accept } = await channelTo(Buffer.alloc(0), { tls: { ca } });
  const { ended } = gather(channel);
  const peer = await accept();
  await vi.advanceTimersByTimeAsync(5000);
  await expect(ended).rejects.toMatchObject({ code: 'unavailable', message: expect.stringMatching(/within 5000 ms/) });
  await peer.gone;
  expect(vi.getTimerCount()).toBe(0);
});
