import { readFileSync, writeFileSync } from 'node:fs';
import { measures } from './cases.js';
import type { Figures } from './runs/pair.js';
import type { Subject } from './subjects.js';

/** Several runs' figure of one subject. */
interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly unit: string;
}

type BySubject = Partial<Record<Subject, Spread>>;

/** What a bench writes as JSON. `details` stands beside the cases: CPU, bytes, losses and more, by case. */
export interface Results {
  readonly machine: Readonly<Record<string, string | number>>;
  readonly versions: Readonly<Record<string, string>>;
  readonly cases: Record<string, BySubject>;
  readonly details: Record<string, Partial<Record<Subject, Record<string, Spread>>>>;
}

const detailUnits: readonly (readonly [RegExp, string])[] = [
  [/^cpu-/, 'µs/delivery'],
  [/^bytes$/, 'bytes/delivery'],
  [/^lost$/, 'events'],
  [/^p\d+/, 'ms'],
  [/^achieved-at-/, 'events/s'],
  [/-mb$/, 'MB'],
  [/-kb$/, 'KB'],
];

/** Takes one subject's runs of a case into the results. */
export function addRuns(results: Results, caseName: string, subject: Subject, runs: readonly Figures[]): void {
  const names = new Set(runs.flatMap((run) => Object.keys(run)));
  for (const name of names) {
    const values = runs.flatMap((run) => run[name] ?? []);
    const measure = measures.find((one) => one.name === name);
    if (measure !== undefined) {
      results.cases[name] ??= {};
      results.cases[name][subject] = spreadOf(values, measure.unit);
    } else {
      results.details[caseName] ??= {};
      results.details[caseName][subject] ??= {};
      const unit = detailUnits.find(([pattern]) => pattern.test(name))?.[1] ?? '';
      results.details[caseName][subject][name] = spreadOf(values, unit);
    }
  }
}

/** A detail's median. */
export function detailOf(results: Results, caseName: string, subject: Subject, name: string): number | undefined {
  return results.details[caseName]?.[subject]?.[name]?.median;
}

/** How many times as good `subject` is as `other`; above 1 is better, whichever way the unit counts. */
export function timesAsGood(results: Results, name: string, subject: Subject, other: Subject): number | undefined {
  const one = results.cases[name]?.[subject]?.median;
  const base = results.cases[name]?.[other]?.median;
  if (one === undefined || base === undefined || one === 0 || base === 0) return undefined;
  const better = measures.find((measure) => measure.name === name)?.better ?? 'more';
  return better === 'more' ? one / base : base / one;
}

export function readResults(file: string): Results {
  const { machine, versions, cases, details = {} } = JSON.parse(readFileSync(file, 'utf8')) as Results;
  return { machine, versions, cases, details };
}

export function writeResults(file: string, results: Results): void {
  writeFileSync(file, `${JSON.stringify(results, null, 2)}\n`);
}

function spreadOf(values: readonly number[], unit: string): Spread {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { median: rounded(median), min: rounded(sorted[0]!), max: rounded(sorted.at(-1)!), unit };
}

function rounded(value: number): number {
  return Number(value.toPrecision(5));
}
