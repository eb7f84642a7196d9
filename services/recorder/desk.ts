import { join } from 'node:path';
import { type EventService, type Logger, type Mesh, MeshError, type MeshEvent } from 'furrow';
import {
  freeBytes,
  openOutput,
  Recorder,
  type RecordingFormat,
  type RecordingProfile,
  recordingName,
  type SyncMode,
} from 'furrow/recording';
import { Headers } from './headers.js';
import { progressMessage, progressType, type RecordingState } from './progress.js';

export interface DeskOptions {
  readonly service: EventService;
  readonly mesh: Mesh;
  readonly logger: Logger;
  readonly dataDir: string;
  readonly format: RecordingFormat;
  readonly sync: SyncMode;
  readonly minFreeMb: number;
  /** Of profiles that do not say. */
  readonly maxFileMb?: number;
}

interface Recording {
  readonly base: string;
  readonly profile: string;
  readonly recorder: Recorder;
}

const progressMs = 1000;

/** Path of the annotations that the recorder is asked to make. */
const annotationPath = '/annotation';
const annotationType = 'farm_ng.core.proto.RecorderAnnotation';

/** Runs one recording at a time, and tells of it on `/progress` and `/error`. */
export class RecorderDesk {
  readonly headers = new Headers();
  private readonly options: DeskOptions;
  private current: Recording | undefined;
  private last: RecordingState | undefined;
  /** Starts and stops, one after the other. */
  private turn: Promise<unknown> = Promise.resolve();

  constructor(options: DeskOptions) {
    this.options = options;
  }

  /** Ends the recording that runs and begins the next; gives its base. */
  start(profile: RecordingProfile): Promise<string> {
    return this.inTurn(async () => {
      await this.end();
      const { dataDir, format, logger, mesh, minFreeMb, service, sync } = this.options;
      const base = join(dataDir, recordingName(service.clock));
      const maxFileMb = profile.maxFileMb ?? this.options.maxFileMb;
      const own = profile.config === mesh.config ? undefined : mesh.sibling(profile.config);
      try {
        const output = { registry: service.registry, format, sync, ...(maxFileMb === undefined ? {} : { maxFileMb }) };
        const recorder = await Recorder.start(own ?? mesh, profile.subscriptions, {
          open: () => openOutput(base, output),
          clock: service.clock,
          logger,
          freeBytes: () => freeBytes(dataDir),
          minFreeBytes: minFreeMb * 1e6,
          firstEvents: [...this.headers],
          // They are written when they are made, which is before whoever asked for one is answered.
          leaveOut: (publisher, path) => publisher === service.name && path === annotationPath,
          lastEvent: (error) => this.publishError(error, base),
        });
        this.follow({ base, profile: profile.name, recorder }, own);
      } catch (error) {
        own?.close();
        await this.publishError(MeshError.from(error), base);
        throw error;
      }
      return base;
    });
  }

  /** Ends the recording, if one runs; resolves when its files are complete. */
  stop(): Promise<void> {
    return this.inTurn(() => this.end());
  }

  /** Keeps a header for this recording and those that follow. */
  async addHeader(header: MeshEvent): Promise<void> {
    this.headers.set(header);
    await this.current?.recorder.write([header]);
  }

  clearHeaders(): void {
    this.headers.clear();
    this.current?.recorder.clearHeaders();
  }

  /** Publishes an annotation and records it. Errors: `failed-precondition` when nothing is being recorded. */
  async annotate(annotation: unknown): Promise<void> {
    const { current } = this;
    if (current === undefined) {
      throw new MeshError('failed-precondition', 'nothing is being recorded; start a recording before you annotate it');
    }
    const event = await this.publish(annotationPath, annotation, annotationType);
    await current.recorder.write([event]);
  }

  /** The RecorderProgress of this moment. */
  async progress(): Promise<object> {
    const { current, last, options } = this;
    const free = await freeBytes(options.dataDir).catch(() => 0);
    if (current === undefined) return progressMessage(last, free);
    const { base, profile, recorder } = current;
    return progressMessage({ state: 'recording', base, profile, report: recorder.report }, free);
  }

  private async end(): Promise<void> {
    const { current } = this;
    if (current === undefined) return;
    await current.recorder.stop();
    await this.finished(current);
  }

  /** Publishes how it goes, until the recording has ended, whatever ends it. */
  private follow(recording: Recording, ownMesh: Mesh | undefined): void {
    const { logger } = this.options;
    this.current = recording;
    logger.info(`recording "${recording.profile}" to ${recording.base}`);
    void this.publishProgress();
    const timer = setInterval(() => void this.publishProgress(), progressMs);
    void recording.recorder.ended.then(async () => {
      clearInterval(timer);
      ownMesh?.close();
      await this.finished(recording);
    });
  }

  /** Called by whoever asked for the end and by the end itself: the first one tells of it. */
  private async finished(recording: Recording): Promise<void> {
    if (this.current !== recording) return;
    this.current = undefined;
    const { base, profile, recorder } = recording;
    const { report } = recorder;
    this.last = { state: report.error === undefined ? 'complete' : 'failed', base, profile, report };
    const counts = `${report.events} events, ${report.lost} lost`;
    if (report.error === undefined) this.options.logger.info(`recorded ${base}: ${counts}`);
    else this.options.logger.error(`the recording ${base} ended early (${counts}): ${report.error.message}`);
    await this.publishProgress();
  }

  private async publishProgress(): Promise<void> {
    const progress = await this.progress();
    await this.publish('/progress', progress, progressType, true).catch(() => undefined);
  }

  private async publishError({ code, message }: MeshError, base: string): Promise<MeshEvent | undefined> {
    return this.publish('/error', { code, message, base }, 'google.protobuf.Struct').catch(() => undefined);
  }

  /** Publishes, and gives the event that subscribers get. */
  private async publish(path: string, message: unknown, type: string, latch = false): Promise<MeshEvent> {
    const { service } = this.options;
    let published: MeshEvent | undefined;
    const watch = service.published$.subscribe((event) => {
      if (event.path === path) published ??= event;
    });
    try {
      await service.publish(path, message, { type, latch });
    } finally {
      watch.unsubscribe();
    }
    return published!;
  }

  private inTurn<T>(action: () => Promise<T>): Promise<T> {
    const done = this.turn.then(action);
    this.turn = done.catch(() => undefined);
    return done;
  }
}
