/** An answer other than success: what a handler throws and the server turns into `{message}` with the status. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export const badRequest = (message: string) => new Problem(400, message);
export const notFound = (what: string, id: string) => new Problem(404, `there is no ${what} ${JSON.stringify(id)}`);
export const gone = (message: string) => new Problem(410, message);
/** What the daemon says when a provider does not answer over the network. */
export const unreachable = (provider: string) => new Problem(500, `no answer from provider ${provider}`);

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
