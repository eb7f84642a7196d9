import { aborted } from '../../base/aborted.js';
import { MeshError } from '../../base/errors.js';
import { type Logger, silentLogger } from '../../base/logger.js';
import type { EventService } from '../../mesh/event-service.js';
import { TypeRegistry } from '../../messages/registry.js';
import { pathKey } from '../path-patterns.js';
import type { RecordedEvent, RecordingReader, RecordingSummary } from '../recording.js';
import { controlService, type PlayerControls } from './control-service.js';
import { latchedBefore } from './latched-events.js';
import { Lateness } from './lateness.js';
import { type PlaybackTimer, playbackTimer } from './playback-timer.js';
import type { PlayerOptions } from './player-options.js';
import type { PlayerStatus, PlayerSummary, SteppedEvent } from './player-status.js';
import { recordedHosts } from './recorded-hosts.js';
import { Schedule } from './schedule.js';
import { selectedPaths } from './selected-paths.js';
import { Stage } from './stage.js';
import { StepQueue } from './step-queue.js';

// An event that is later than this moves the rest of the schedule, which is then not hurried through to catch up.
const longestCatchUpS = 0.1;

/**
 * Plays a recording: one EventService a recorded service, every event as it was published, at its time. `open`, `start`,
 * then `run`; meanwhile `pause`, `resume`, `seek`, `step` and `setRate`. Closing the reader is its owner's.
 */
export class Player implements PlayerControls, AsyncDisposable {
  readonly recording: RecordingSummary;
  /** The services that are brought up. */
  readonly stage: Stage;
  /** The player's own service, which answers `/status`, `/pause` and the like. */
  readonly control: EventService;
  private readonly reader: RecordingReader;
  private readonly options: PlayerOptions;
  private readonly timer: PlaybackTimer;
  private readonly logger: Logger;
  private readonly schedule: Schedule;
  private readonly lateness = new Lateness();
  private readonly steps = new StepQueue();
  private readonly said = new Set<string>();
  private readonly closing = new AbortController();
  /** The part that is played, seconds after the recording's first event. */
  private readonly fromS: number;
  private readonly toS: number;
  private state: PlayerStatus['state'] = 'ready';
  private paused: boolean;
  private events = 0;
  private skipped = 0;
  private loops = 0;
  /** Whether something was published in this epoch. */
  private touched = false;
  /** Where to go, when that is not where playing stands. */
  private targetS: number | undefined;
  /** Aborted and replaced when whoever waits should look again. */
  private change = new AbortController();

  /**
   * Reads what is in the recording, from its index. Errors: `invalid-argument` for a range that holds nothing or a rate
   * that is none, `not-found` for paths that the recording does not have, `failed-precondition` for one without events.
   */
  static async open(reader: RecordingReader, options: PlayerOptions = {}): Promise<Player> {
    const { signal, onProgress } = options;
    const recording = await reader.summary({ ...(signal && { signal }), ...(onProgress && { onProgress }) });
    const paths = selectedPaths(recording, options.paths);
    const hosts = await recordedHosts(reader, paths, signal);
    const stage = new Stage(paths, options.registry ?? new TypeRegistry(), { ...options, hosts });
    return new Player(reader, { recording, stage }, options);
  }

  private constructor(
    reader: RecordingReader,
    { recording, stage }: Pick<Player, 'recording' | 'stage'>,
    options: PlayerOptions,
  ) {
    this.reader = reader;
    this.recording = recording;
    this.stage = stage;
    this.options = options;
    this.timer = options.timer ?? playbackTimer();
    this.logger = options.logger ?? silentLogger;
    this.paused = options.paused ?? false;
    const lengthS = recording.lastS - recording.firstS;
    this.fromS = options.startS ?? 0;
    this.toS = Math.min(options.endS ?? Number.POSITIVE_INFINITY, lengthS);
    if (!(this.fromS >= 0 && this.fromS <= this.toS)) {
      const range = `from ${this.fromS} s to ${this.toS} s is nothing to play`;
      throw new MeshError('invalid-argument', `${range}; the recording is ${lengthS.toFixed(3)} s long`);
    }
    const rate = options.rate ?? 1;
    this.schedule = new Schedule(() => this.timer.nowS(), { positionS: this.fromS, rate });
    const name = stage.service('player') === undefined ? 'player' : 'player-control';
    const server = stage.server(name, options.port);
    this.control = controlService(this, name, { registry: stage.registry, server, logger: this.logger });
  }

  get status(): PlayerStatus {
    const { state, events, skipped, loops, stage, schedule } = this;
    return {
      state: state === 'playing' && this.paused ? 'paused' : state,
      positionS: Math.min(this.targetS ?? schedule.positionS, this.toS),
      startS: this.fromS,
      endS: this.toS,
      rate: schedule.rate,
      loops,
      events,
      skipped,
      lateS: schedule.lateS,
      lateP50Ms: this.lateness.quantileMs(0.5),
      lateP99Ms: this.lateness.quantileMs(0.99),
      subscribers: stage.subscriberCount,
      ignoredRequests: stage.ignoredRequests,
    };
  }

  /** Takes calls. Errors: `already-exists` for a port in use; then none is left open. */
  async start(): Promise<void> {
    await this.stage.start([this.control]);
  }

  /** Plays to the end, once; ends also when it is closed. Errors: those of reading; `failed-precondition` the second time. */
  async run(): Promise<PlayerSummary> {
    if (this.state !== 'ready') throw new MeshError('failed-precondition', 'this player has played; open another one');
    const { signal: given } = this.options;
    const signal = given === undefined ? this.closing.signal : AbortSignal.any([this.closing.signal, given]);
    const wake = (): void => this.changed();
    signal.addEventListener('abort', wake, { once: true });
    try {
      this.state = 'waiting';
      await this.stage.waitForSubscribers(this.options.waitFor ?? 0, signal);
      this.state = 'playing';
      await this.playAll(signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      signal.removeEventListener('abort', wake);
      this.state = 'ended';
      this.schedule.halt();
      this.steps.end();
    }
    const { events, skipped, loops, lateS, lateP50Ms, lateP99Ms } = this.status;
    return { events, skipped, loops, lateS, lateP50Ms, lateP99Ms };
  }

  /** Stands still. Can be called twice. */
  pause(): void {
    this.paused = true;
    this.schedule.halt();
    this.changed();
  }

  resume(): void {
    this.paused = false;
    this.changed();
  }

  /** Goes on elsewhere, as a new epoch. Errors: `out-of-range` outside of what is played, `failed-precondition` at the end. */
  seek(positionS: number): void {
    if (this.state === 'ended') throw ended();
    const { fromS, toS } = this;
    if (!(positionS >= fromS && positionS <= toS)) {
      throw new MeshError('out-of-range', `${positionS} s is outside of what is played, ${fromS} to ${toS} s`);
    }
    this.targetS = positionS;
    this.changed();
  }

  /**
   * Stands still and publishes the next event, whenever it is due. Resolves when that is done. Errors:
   * `failed-precondition` at the end of the recording, `resource-exhausted` when 1000 steps are waiting.
   */
  step(): Promise<SteppedEvent> {
    if (this.state === 'ended') return Promise.reject(ended());
    const step = this.steps.add();
    this.pause();
    return step;
  }

  /** 2 is twice as fast, 0 as fast as possible. Errors: `invalid-argument` for other values. */
  setRate(rate: number): void {
    this.schedule.setRate(rate);
    this.changed();
  }

  /** Ends playing, lets subscribers have what is queued for them within `limitMs` (default 5000), and closes all ports. */
  async drain({ limitMs = 5000 }: { limitMs?: number } = {}): Promise<void> {
    this.closing.abort('drained');
    await this.control.drain({ limitMs });
    await this.stage.drain(limitMs);
  }

  /** Ends playing and closes all ports. Can be called twice. */
  close(): void {
    this.closing.abort('closed');
    this.control.close();
    this.stage.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain();
  }

  private changed(): void {
    const before = this.change;
    this.change = new AbortController();
    before.abort();
  }

  private async playAll(signal: AbortSignal): Promise<void> {
    for (let beginS = this.targetS ?? this.fromS; !signal.aborted; ) {
      this.targetS = undefined;
      await this.begin(beginS, signal);
      const taken = await this.pass(beginS, signal);
      if (this.targetS !== undefined) {
        beginS = this.targetS;
        continue;
      }
      // A loop around no events would turn for ever.
      if (this.options.loop !== true || (taken === 0 && beginS === this.fromS)) return;
      this.loops += 1;
      beginS = this.fromS;
    }
  }

  /** Makes a place ready: a new epoch, if this one has seen another place, and what is latched there. */
  private async begin(positionS: number, signal: AbortSignal): Promise<void> {
    this.schedule.halt();
    this.schedule.moveTo(positionS);
    if (this.touched) await this.stage.restart(AbortSignal.any([signal, this.change.signal]));
    this.touched = false;
    const { latching, registry } = this.stage;
    for (const recorded of await latchedBefore(this.reader, latching, { endS: positionS, signal, registry })) {
      await this.publish(recorded);
    }
  }

  /** Plays from a position to the end, or until there is another place to go to. Gives the number of events it took. */
  private async pass(startS: number, signal: AbortSignal): Promise<number> {
    const { endS, paths } = this.options;
    const selection = { startS, ...(endS !== undefined && { endS }), ...(paths && { paths }) };
    let taken = 0;
    for await (const batch of this.reader.batches({ ...selection, signal })) {
      for (const recorded of batch) {
        const positionS = recorded.timeS - this.recording.firstS;
        const turn = await this.turn(positionS, signal);
        if (turn === 'gone') return taken;
        taken += 1;
        if (await this.publish(recorded)) this.events += 1;
        if (turn === 'due') continue;
        this.schedule.moveTo(positionS);
        const { service, path, sequence } = recorded.event;
        if (turn === 'step') this.steps.done({ service, path, sequence, positionS });
      }
    }
    return taken;
  }

  /** Waits for the turn of an event, and says why it came. `gone`: playing goes on elsewhere, or ends. */
  private async turn(positionS: number, signal: AbortSignal): Promise<'due' | 'hurried' | 'step' | 'gone'> {
    const { schedule, timer } = this;
    while (!signal.aborted && this.targetS === undefined) {
      if (this.paused) {
        if (this.steps.waiting > 0) return 'step';
        await aborted(this.change.signal);
        continue;
      }
      schedule.run();
      if (schedule.rate === 0) return 'hurried';
      const lateS = timer.nowS() - schedule.dueS(positionS);
      if (lateS >= 0) {
        this.lateness.add(lateS);
        if (lateS > longestCatchUpS) schedule.postpone(lateS);
        return 'due';
      }
      await timer.waitUntil(schedule.dueS(positionS), this.change.signal);
    }
    return 'gone';
  }

  /** False when it was not to be published. One event that cannot be must not cost those behind it. */
  private async publish({ event }: RecordedEvent): Promise<boolean> {
    this.touched = true;
    try {
      return (await this.stage.service(event.service)?.publish(event)) === true;
    } catch (error) {
      if (this.closing.signal.aborted) return false;
      this.skipped += 1;
      const key = pathKey(event);
      if (!this.said.has(key)) this.logger.warn(`an event is left out: ${MeshError.from(error).message}`);
      this.said.add(key);
      return false;
    }
  }
}

function ended(): MeshError {
  return new MeshError('failed-precondition', 'the recording has been played to its end');
}
