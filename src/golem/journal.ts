import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';

const entrySchema = z.object({
  version: z.literal(1),
  pid: z.number(),
  /** Start of the process in the kernel's ticks; tells a reused pid apart. Empty where the system has none. */
  processStart: z.string(),
  daemonUrl: z.string(),
  identity: z.string(),
  appSessionId: z.string(),
  allocationId: z.string(),
  budget: z.string(),
  demands: z.array(z.string()),
  /** Agreement → what was accepted for it, and whether its invoice is still open. */
  agreements: z.record(z.string(), z.object({ accepted: z.string(), open: z.boolean(), startMs: z.number() })),
});

/** What one requestor owes or holds at the daemon, as it stands on disk. */
export type JournalEntry = z.infer<typeof entrySchema>;

/** Where journals lie by default: `$XDG_STATE_HOME/furrow/golem`, else `~/.local/state/furrow/golem`. */
export function defaultStateDir(): string {
  return join(process.env.XDG_STATE_HOME ?? join(homedir(), '.local', 'state'), 'furrow', 'golem');
}

/**
 * The journal of one requestor: a small file, replaced as a whole before each change takes effect at the daemon,
 * removed at the end. What a killed process leaves there is cleaned up by the next one.
 */
export class Journal {
  readonly #path: string;
  readonly #entry: JournalEntry;

  constructor(
    stateDir: string,
    start: Pick<JournalEntry, 'daemonUrl' | 'identity' | 'appSessionId' | 'allocationId' | 'budget'>,
  ) {
    mkdirSync(stateDir, { recursive: true, mode: 0o700 });
    this.#path = join(stateDir, `${start.appSessionId}.json`);
    const processStart = startOf(process.pid) ?? '';
    this.#entry = { version: 1, pid: process.pid, processStart, ...start, demands: [], agreements: {} };
    this.#write();
  }

  demand(demandId: string, state: 'published' | 'removed'): void {
    const { demands } = this.#entry;
    this.#entry.demands = demands.filter((id) => id !== demandId);
    if (state === 'published') this.#entry.demands.push(demandId);
    this.#write();
  }

  agreement(agreementId: string): void {
    this.#entry.agreements[agreementId] = { accepted: '0', open: true, startMs: Date.now() };
    this.#write();
  }

  /** Nothing more is owed for it; what was accepted still counts. */
  settled(agreementId: string): void {
    const agreement = this.#entry.agreements[agreementId];
    if (!agreement) return;
    agreement.open = false;
    this.#write();
  }

  accepted(agreementId: string, amount: string): void {
    const agreement = this.#entry.agreements[agreementId];
    if (!agreement) return;
    agreement.accepted = amount;
    this.#write();
  }

  /** An agreement goes over to somebody else, who is to clean up after it. */
  forget(agreementId: string): void {
    delete this.#entry.agreements[agreementId];
    this.#write();
  }

  remove(): void {
    rmSync(this.#path, { force: true });
  }

  #write(): void {
    const next = `${this.#path}.new`;
    writeFileSync(next, JSON.stringify(this.#entry), { mode: 0o600 });
    renameSync(next, this.#path);
  }
}

export interface Leftover {
  readonly path: string;
  readonly entry: JournalEntry;
}

/** Journals whose process is gone. Files that cannot be read are left alone and reported by `onUnreadable`. */
export function leftovers(stateDir: string, onUnreadable: (path: string, why: string) => void): readonly Leftover[] {
  let names: string[];
  try {
    names = readdirSync(stateDir).filter((name) => name.endsWith('.json'));
  } catch {
    return [];
  }
  return names.flatMap((name) => {
    const path = join(stateDir, name);
    try {
      const entry = entrySchema.parse(JSON.parse(readFileSync(path, 'utf8')));
      return isAlive(entry) ? [] : [{ path, entry }];
    } catch (error) {
      onUnreadable(path, error instanceof Error ? error.message : String(error));
      return [];
    }
  });
}

function isAlive({ pid, processStart }: JournalEntry): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  const now = startOf(pid);
  return now === undefined || processStart === '' || now === processStart;
}

function startOf(pid: number): string | undefined {
  try {
    // Field 22, counted behind the command's name, which may hold anything.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}
