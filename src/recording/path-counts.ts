import type { Gap } from '../mesh/sequence-tracker.js';
import { lengthOf, type MeshEvent } from '../messages/mesh-event.js';
import type { PathReport } from './recording-report.js';

const mostGaps = 1000;

/** Counts what is written and what is lost of one path. */
export class PathCounts {
  private written = 0;
  private bytes = 0;
  private lost = 0;
  private type = '';
  private readonly service: string;
  private readonly path: string;
  private readonly everyN: number;
  private readonly gaps: Gap[] = [];
  /** Events that came although they are older than the subscription: latched ones. */
  private early = 0;
  /** Whether such events may still come. */
  private beginning = true;

  constructor(service: string, path: string, everyN: number) {
    this.service = service;
    this.path = path;
    this.everyN = Math.max(1, everyN);
  }

  /** Counts an event that is written. `begin` is the first sequence of the subscription. */
  add(event: MeshEvent, begin: number): void {
    this.written += 1;
    this.bytes += lengthOf(event.payloadRange);
    if (!this.beginning) return;
    this.type = event.type;
    if (event.sequence < begin) this.early += 1;
    else this.beginning = false;
  }

  /** Takes back an event that was not written after all. */
  leaveOut(event: MeshEvent): void {
    this.written -= 1;
    this.bytes -= lengthOf(event.payloadRange);
  }

  miss(gap: Gap): void {
    this.lost += gap.count;
    if (this.gaps.length < mostGaps) this.gaps.push(gap);
  }

  /** `begin` as for `add`; undefined while it is not known. */
  report(begin = 0): PathReport {
    const { service, path, type, written, bytes, lost, gaps, early, everyN } = this;
    const before = Math.max(0, Math.ceil(begin / everyN) - early);
    return { service, path, type, expected: written + lost, written, bytes, lost, gaps: [...gaps], before };
  }
}
