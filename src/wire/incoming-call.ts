import type { ServerUnaryCall, ServerWritableStream } from '@grpc/grpc-js';
import { fromMetadata } from './metadata.js';
import type { Headers, IncomingCall } from './types.js';

type Call = ServerUnaryCall<Buffer, Uint8Array> | ServerWritableStream<Buffer, Uint8Array>;

/** A grpc-js call as its service sees it. What most handlers never look at is made when somebody does. */
export class GrpcIncomingCall implements IncomingCall {
  readonly peer: string;
  private readonly call: Call;
  private readonly reset: boolean;
  private controller: AbortController | undefined;
  private abort: (() => void) | undefined;

  /** @param reset Whether the caller had gone before the handler ran: grpc-js has said so already, to nobody. */
  constructor(call: Call, reset: boolean) {
    this.call = call;
    // At once: a connection that is gone knows its address no more.
    this.peer = call.getPeer();
    this.reset = reset;
  }

  get headers(): Headers {
    return fromMetadata(this.call.metadata);
  }

  get signal(): AbortSignal {
    if (this.controller === undefined) {
      const controller = new AbortController();
      this.controller = controller;
      this.abort = () => controller.abort();
      if (this.reset || this.call.cancelled) controller.abort();
      else this.call.on('cancelled', this.abort);
    }
    return this.controller.signal;
  }

  /** The call is answered: that its stream closes now is no cancellation. */
  answered(): void {
    if (this.abort !== undefined) this.call.off('cancelled', this.abort);
  }
}
