const firstMs = 500;
const everyMs = 10_000;
const mostTopics = 5;

/** Collects drops, and says how many they are: soon after the first, then at most every ten seconds. */
export class DropNotice {
  private readonly say: (text: string) => void;
  private readonly counts = new Map<string, number>();
  private timer: NodeJS.Timeout | undefined;
  private saidAtMs = Number.NEGATIVE_INFINITY;

  constructor(say: (text: string) => void) {
    this.say = say;
  }

  add(topic: string): void {
    this.counts.set(topic, (this.counts.get(topic) ?? 0) + 1);
    this.timer ??= setTimeout(() => this.tell(), Math.max(firstMs, this.saidAtMs + everyMs - performance.now()));
  }

  close(): void {
    clearTimeout(this.timer);
    this.counts.clear();
  }

  private tell(): void {
    this.timer = undefined;
    this.saidAtMs = performance.now();
    const counts = [...this.counts].sort(([, one], [, other]) => other - one);
    this.counts.clear();
    const total = counts.reduce((sum, [, count]) => sum + count, 0);
    const shown = counts.slice(0, mostTopics).map(([topic, count]) => `${topic} ${count}`);
    const more = counts.length > mostTopics ? ` and ${counts.length - mostTopics} more` : '';
    this.say(`${total} events were dropped (${shown.join(', ')}${more})`);
  }
}
