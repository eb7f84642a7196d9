/** One value for each (service, path), of a bounded number of them: the one set longest ago makes room. */
export class RecentPaths<T> {
  private readonly values = new Map<string, T>();

  constructor(private readonly maxPaths: number) {}

  get(service: string, path: string): T | undefined {
    return this.values.get(keyOf(service, path));
  }

  /** Sets a value and makes it the most recent one. */
  set(service: string, path: string, value: T): void {
    const key = keyOf(service, path);
    // A map keeps the order of insertion: taking the key out first moves it to the end.
    this.values.delete(key);
    this.values.set(key, value);
    if (this.values.size > this.maxPaths) this.deleteOldest();
  }

  delete(service: string, path: string): void {
    this.values.delete(keyOf(service, path));
  }

  /** The value set longest ago; undefined when there is none. */
  oldest(): T | undefined {
    const first = this.values.values().next();
    return first.done ? undefined : first.value;
  }

  private deleteOldest(): void {
    const first = this.values.keys().next();
    if (!first.done) this.values.delete(first.value);
  }
}

function keyOf(service: string, path: string): string {
  // Both may hold slashes; neither can hold a line break in a configuration.
  return `${service}\n${path}`;
}
