import type { GolemEvent } from 'furrow/golem';

/** A `furrow.GolemEvent` as `publish` takes it. */
export interface GolemMessage {
  readonly kind: 'market' | 'agreement' | 'activity' | 'payment';
  readonly type: string;
  readonly provider: string;
  readonly time: Date;
  readonly details: object;
}

const kinds: readonly (readonly [RegExp, GolemMessage['kind']])[] = [
  [/^(Subscription|Collect|Proposal|NoProposals)/, 'market'],
  [/^Agreement/, 'agreement'],
  [/^Activity/, 'activity'],
  [/^(DebitNote|Invoice|Payment)/, 'payment'],
];

/** What /golem says of an event; undefined for those of scripts and instances, which other paths tell of. */
export function golemMessage(event: GolemEvent): GolemMessage | undefined {
  const [, kind] = kinds.find(([pattern]) => pattern.test(event.type)) ?? [];
  if (kind === undefined) return undefined;
  const { type, timeMs, ...fields } = event;
  const { provider, ...rest } = fields as { readonly provider?: { readonly name: string } } & Record<string, unknown>;
  const details = JSON.parse(
    JSON.stringify(rest, (_key, value: unknown) => (value instanceof Error ? value.message : value)),
  ) as object;
  return { kind, type, provider: provider?.name ?? '', time: new Date(timeMs), details };
}
