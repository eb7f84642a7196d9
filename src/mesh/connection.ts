import { setMaxListeners } from 'node:events';
import { BehaviorSubject, type Observable } from 'rxjs';
import { MeshError } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import { Channel, type ChannelOptions } from '../wire/channel.js';
import { isFromPeer } from '../wire/status.js';
import type { CallOptions, WireChannel, WireMethod } from '../wire/types.js';

/** Whether a service is there. */
export interface ConnectionState {
  /** `idle`: not used yet. `away`: the last attempt failed; the next one comes by itself while somebody listens. */
  readonly status: 'idle' | 'connecting' | 'connected' | 'away' | 'closed';
  /** `away` only: why. */
  readonly reason?: string;
  /** `connected` to a furrow service: changes when it restarts. */
  readonly epoch?: string;
  /** `connected` to a furrow service: its version. */
  readonly version?: string;
}

export interface ConnectionOptions extends ChannelOptions {
  readonly keepaliveMs: number;
  readonly logger: Logger;
}

// A peer that does not answer a list of its paths within this time is not there.
const longestProbeMs = 5000;

/** The link of a client to its service: one channel, replaced when it turns out dead. */
export class Connection {
  readonly service: string;
  readonly address: string;
  private readonly makeChannel: () => WireChannel;
  private readonly options: ConnectionOptions;
  private readonly states = new BehaviorSubject<ConnectionState>({ status: 'idle' });
  private channel: WireChannel | undefined;
  /** Aborts when the current channel is given up. */
  private life = lifetime();
  private streams = 0;
  private heardAt = 0;
  private probing = false;
  private watch: NodeJS.Timeout | undefined;

  constructor(service: string, host: string, port: number, options: ConnectionOptions) {
    this.service = service;
    this.address = `${host}:${port}`;
    this.options = options;
    this.makeChannel = () => new Channel(host, port, options);
  }

  get state$(): Observable<ConnectionState> {
    return this.states.asObservable();
  }

  get state(): ConnectionState {
    return this.states.value;
  }

  async unary(method: WireMethod, request: Uint8Array, options: CallOptions): Promise<Buffer> {
    const channel = this.open();
    try {
      const reply = await channel.unary(method, request, options);
      this.heard();
      // An answer proves the service is there; a stream's headers say more of it.
      if (this.state.status !== 'connected') this.report({ status: 'connected' });
      return reply;
    } catch (error) {
      const failure = MeshError.from(error);
      if ((this.state.status as string) === 'closed') throw this.wasClosed();
      // A client that only asks has no stream whose silence would tell that the link is dead.
      if (failure.code === 'deadline-exceeded') void this.probe();
      // What the service itself says, of another service perhaps, is no sign that it is away.
      if (failure.code !== 'unavailable' || isFromPeer(failure)) throw failure;
      const away = new MeshError('unavailable', `${this.service} at ${this.address} is away (${failure.message})`, {
        cause: failure,
      });
      if (this.streams === 0) this.report({ status: 'away', reason: away.message });
      throw away;
    }
  }

  /** Lends the channel to a stream. `given up` aborts when it turns out dead; `release` must be called at the end. */
  lend(): { channel: WireChannel; givenUp: AbortSignal; release: () => void } {
    const channel = this.open();
    // Silence counts from now; but one stream that begins says nothing of the link that others wait on.
    if (this.streams === 0) this.heard();
    this.streams += 1;
    this.watch ??= setInterval(() => void this.probe(), this.options.keepaliveMs / 2);
    return {
      channel,
      givenUp: this.life.signal,
      release: () => {
        this.streams -= 1;
        if (this.streams === 0) this.stopWatch();
      },
    };
  }

  /** Something came over the link. */
  heard(): void {
    this.heardAt = performance.now();
  }

  report(state: ConnectionState): void {
    const { status, reason, epoch } = this.state;
    if (status === 'closed') return;
    if (status === state.status && reason === state.reason && epoch === state.epoch) return;
    this.states.next(state);
  }

  close(): void {
    this.stopWatch();
    this.report({ status: 'closed' });
    this.giveUp(this.wasClosed());
    this.states.complete();
  }

  private open(): WireChannel {
    if (this.state.status === 'closed') {
      throw new MeshError('failed-precondition', `the client of ${this.service} is closed`);
    }
    this.channel ??= this.makeChannel();
    return this.channel;
  }

  /**
   * A link can be dead without either end hearing of it. HTTP/2 pings would tell, but strict servers (farm-ng's are)
   * hang up on whoever pings often; a call that every service answers is welcome everywhere.
   */
  private async probe(): Promise<void> {
    const { channel } = this;
    const { keepaliveMs } = this.options;
    if (channel === undefined || this.probing || performance.now() - this.heardAt < keepaliveMs) return;
    this.probing = true;
    try {
      await channel.unary('listUris', new Uint8Array(0), { timeoutMs: Math.min(longestProbeMs, keepaliveMs) });
      this.heard();
      if (this.state.status !== 'connected') this.report({ status: 'connected' });
    } catch (error) {
      const { code, message } = MeshError.from(error);
      // Any other failure says that nothing is connected, and the channel connects anew by itself.
      if (code !== 'deadline-exceeded') return;
      if (this.channel !== channel || performance.now() - this.heardAt < keepaliveMs) return;
      const reason = `no sign of life from ${this.service} at ${this.address}: ${message}`;
      this.options.logger.debug(reason);
      this.giveUp(new MeshError('unavailable', reason));
    } finally {
      this.probing = false;
    }
  }

  private giveUp(reason: MeshError): void {
    this.channel?.close();
    this.channel = undefined;
    this.life.abort(reason);
    this.life = lifetime();
  }

  private wasClosed(): MeshError {
    return new MeshError('cancelled', `the client of ${this.service} was closed`);
  }

  private stopWatch(): void {
    clearInterval(this.watch);
    this.watch = undefined;
  }
}

function lifetime(): AbortController {
  const controller = new AbortController();
  // Every stream of the channel listens to it.
  setMaxListeners(0, controller.signal);
  return controller;
}
