import { ClientBinaryOpcode } from '@foxglove/ws-protocol';
import { z } from 'zod';
import { MeshError } from '../../base/errors.js';

/** What a viewer can ask of us. */
export type ViewerMessage =
  | { readonly op: 'subscribe'; readonly subscriptions: readonly { readonly id: number; readonly channelId: number }[] }
  | { readonly op: 'unsubscribe'; readonly subscriptionIds: readonly number[] }
  | ServiceCall
  /** An operation of the protocol that belongs to a capability we do not have. */
  | { readonly op: 'unsupported'; readonly name: string };

export interface ServiceCall {
  readonly op: 'call';
  readonly serviceId: number;
  readonly callId: number;
  readonly encoding: string;
  /** Shared with the message it came in. */
  readonly payload: Buffer;
}

const uint32 = z.int().min(0).max(0xffffffff);
const mostEntries = 10_000;

const textMessage = z.discriminatedUnion('op', [
  z.object({
    op: z.literal('subscribe'),
    subscriptions: z.array(z.object({ id: uint32, channelId: uint32 })).max(mostEntries),
  }),
  z.object({ op: z.literal('unsubscribe'), subscriptionIds: z.array(uint32).max(mostEntries) }),
]);

const unsupported: ReadonlySet<unknown> = new Set([
  'advertise',
  'unadvertise',
  'getParameters',
  'setParameters',
  'subscribeParameterUpdates',
  'unsubscribeParameterUpdates',
  'subscribeConnectionGraph',
  'unsubscribeConnectionGraph',
  'fetchAsset',
  'playbackControlRequest',
]);

const longestEncoding = 64;
const callHeaderBytes = 13;

/** Reads what a viewer sent. Errors: `invalid-argument` saying what is wrong with it. */
export function readViewerMessage(data: Buffer, kind: 'binary' | 'text'): ViewerMessage {
  return kind === 'binary' ? readBinary(data) : readText(data.toString('utf8'));
}

function readText(text: string): ViewerMessage {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new MeshError('invalid-argument', `a text message is no JSON: ${(error as Error).message}`, { cause: error });
  }
  const op = typeof json === 'object' && json !== null ? (json as { op?: unknown }).op : undefined;
  if (unsupported.has(op)) return { op: 'unsupported', name: String(op) };
  const read = textMessage.safeParse(json);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  const at = issue === undefined || issue.path.length === 0 ? '' : ` at ${issue.path.join('.')}`;
  throw new MeshError('invalid-argument', `a message${nameOf(op)} is malformed${at}: ${issue?.message ?? 'unknown'}`);
}

function readBinary(data: Buffer): ViewerMessage {
  const [op] = data;
  if (op === ClientBinaryOpcode.MESSAGE_DATA) return { op: 'unsupported', name: 'message data' };
  if (op !== ClientBinaryOpcode.SERVICE_CALL_REQUEST) {
    throw new MeshError('invalid-argument', `a binary message begins with ${op ?? 'nothing'}, which is no operation`);
  }
  const length = data.length < callHeaderBytes ? 0 : data.readUInt32LE(9);
  if (data.length < callHeaderBytes + length || length > longestEncoding) {
    throw new MeshError('invalid-argument', `a service call of ${data.length} bytes is cut off or malformed`);
  }
  return {
    op: 'call',
    serviceId: data.readUInt32LE(1),
    callId: data.readUInt32LE(5),
    encoding: data.toString('latin1', callHeaderBytes, callHeaderBytes + length),
    payload: data.subarray(callHeaderBytes + length),
  };
}

function nameOf(op: unknown): string {
  return typeof op === 'string' ? ` "${op.slice(0, 40)}"` : '';
}
