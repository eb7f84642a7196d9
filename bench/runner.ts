import { join, resolve } from 'node:path';
import { type BenchCase, cases } from './cases.js';
import type { Certificates } from './certificates.js';
import { addRuns, type Results } from './results.js';
import { runIdle, runStalled, runStartup } from './runs/memory.js';
import { type Figures, Pair, type RunTimes } from './runs/pair.js';
import { runFlow, runPaced, runRequests } from './runs/traffic.js';
import type { Subject, SubjectOptions } from './subjects.js';

export interface Plan extends SubjectOptions {
  readonly cases: readonly BenchCase[];
  /** Folder for CPU profiles of what is measured. */
  readonly profileDir: string | undefined;
  /** Those that can run here. */
  readonly subjects: readonly Subject[];
  readonly repeats: number;
  readonly times: RunTimes;
  readonly quick: boolean;
  readonly certificates: Certificates | undefined;
  /** Called before each run. */
  progress(done: number, of: number, what: string): void;
  /** Called for a run that failed; the others go on. */
  failed(what: string, error: Error): void;
}

/** Runs everything, the subjects of a case in turn: furrow, grpc-js, NATS, furrow, … */
export async function runAll(plan: Plan, results: Results): Promise<void> {
  const chosen = plan.cases.map((one) => ({
    bench: one,
    subjects: one.subjects.filter((subject) => plan.subjects.includes(subject)),
  }));
  const of = chosen.reduce((sum, { subjects }) => sum + subjects.length, 0) * plan.repeats;
  let done = 0;
  for (const { bench, subjects } of chosen) {
    const name = bench.measures[0].name;
    const runs = new Map<Subject, Figures[]>(subjects.map((subject) => [subject, []]));
    for (let repeat = 0; repeat < plan.repeats; repeat++) {
      for (const subject of subjects) {
        plan.progress(done++, of, `${name}: ${subject}, ${repeat + 1} of ${plan.repeats}`);
        try {
          runs.get(subject)!.push(await runOnce(bench, subject, plan));
        } catch (error) {
          plan.failed(`${name}: ${subject}`, error as Error);
        }
      }
    }
    for (const [subject, figures] of runs) {
      if (figures.length > 0) addRuns(results, name, subject, figures);
    }
  }
}

/** The cases of these names (of any of their figures); all without a name. Throws for one that does not exist. */
export function casesNamed(names: readonly string[]): readonly BenchCase[] {
  const known = cases.flatMap(({ measures }) => measures.map(({ name }) => name));
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new Error(`there is no case ${unknown.join(', ')}; there are ${known.join(', ')}`);
  return names.length === 0 ? cases : cases.filter((one) => one.measures.some(({ name }) => names.includes(name)));
}

async function runOnce(bench: BenchCase, subject: Subject, plan: Plan): Promise<Figures> {
  const { kind } = bench;
  const { certificates, times, quick } = plan;
  const workload =
    bench.workload.tls === undefined || certificates === undefined
      ? bench.workload
      : { ...bench.workload, tls: certificates.files };
  if (kind.of === 'startup') return runStartup(subject, workload, plan);
  const { name, unit } = bench.measures[0];
  const profiled = plan.profileDir !== undefined && subject !== 'farm-ng';
  const profileStem = profiled ? join(resolve(plan.profileDir), `${name}-${subject}`) : undefined;
  const pair = await Pair.open(subject, workload, plan, { profileStem });
  try {
    switch (kind.of) {
      case 'flow':
        return await runFlow(pair, name, unit, workload, times);
      case 'paced':
        return await runPaced(pair, quick ? [10_000] : kind.ratesHz, workload, times);
      case 'requests':
        return await runRequests(pair, kind.concurrency, times);
      case 'stalled':
        return await runStalled(pair, quick ? kind.events / 10 : kind.events);
      case 'idle':
        return await runIdle(pair);
    }
  } finally {
    await pair.close();
  }
}
