import { MeshError } from '../../base/errors.js';

/** Where in a recording a player stands at which moment. Positions are seconds after the recording's first event. */
export class Schedule {
  /** Seconds by which playing has fallen behind and will not catch up. */
  lateS = 0;
  private readonly nowS: () => number;
  private rateNow: number;
  private halted = true;
  /** The position at the moment `anchorS`. */
  private fromS: number;
  private anchorS: number;

  /**
   * Stands still at `positionS` until `run`. A rate of 0 is as fast as possible. Errors: `invalid-argument` for a rate
   * that is none.
   */
  constructor(nowS: () => number, { positionS, rate }: { readonly positionS: number; readonly rate: number }) {
    this.nowS = nowS;
    this.rateNow = checked(rate);
    this.fromS = positionS;
    this.anchorS = nowS();
  }

  get rate(): number {
    return this.rateNow;
  }

  setRate(rate: number): void {
    const next = checked(rate);
    this.moveTo(this.positionS);
    this.rateNow = next;
  }

  get positionS(): number {
    return this.halted ? this.fromS : this.fromS + (this.nowS() - this.anchorS) * this.rateNow;
  }

  /** The moment at which what stands at this position is due, at a rate above 0. */
  dueS(positionS: number): number {
    return this.anchorS + (positionS - this.fromS) / this.rateNow;
  }

  moveTo(positionS: number): void {
    this.fromS = positionS;
    this.anchorS = this.nowS();
  }

  run(): void {
    if (!this.halted) return;
    this.moveTo(this.fromS);
    this.halted = false;
  }

  halt(): void {
    this.moveTo(this.positionS);
    this.halted = true;
  }

  /** Everything that follows comes so much later. */
  postpone(byS: number): void {
    this.anchorS += byS;
    this.lateS += byS;
  }
}

function checked(rate: number): number {
  if (rate >= 0 && Number.isFinite(rate)) return rate;
  throw new MeshError('invalid-argument', `the rate is ${rate}; it must be above 0, or 0 for as fast as possible`);
}
