import { MeshError } from '../../base/errors.js';
import type { SteppedEvent } from './player-status.js';

const most = 1000;

interface Step {
  done(event: SteppedEvent): void;
  fail(error: MeshError): void;
}

/** Steps that were asked for, in order. */
export class StepQueue {
  private steps: Step[] = [];

  get waiting(): number {
    return this.steps.length;
  }

  /** Resolves when its event is published. Errors: `resource-exhausted` when 1000 are waiting. */
  add(): Promise<SteppedEvent> {
    if (this.steps.length >= most) {
      return Promise.reject(new MeshError('resource-exhausted', `${most} steps are waiting already; try again`));
    }
    return new Promise((done, fail) => this.steps.push({ done, fail }));
  }

  /** The first one has been taken. */
  done(event: SteppedEvent): void {
    this.steps.shift()?.done(event);
  }

  /** Nothing more comes. */
  end(): void {
    const error = new MeshError('failed-precondition', 'the recording has been played to its end');
    for (const step of this.steps.splice(0)) step.fail(error);
  }
}
