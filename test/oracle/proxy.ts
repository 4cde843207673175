/** What the comparison needs of a proxy under test, ours or Envoy. */

export type Side = 'outbound' | 'inbound';

export type Proxy = AsyncDisposable & {
  readonly name: 'envoy' | 'lateen';
  readonly address: string;
  readonly port: (side: Side) => number;
  /** Every access-log line so far, oldest first. */
  readonly log: () => Record<string, unknown>[];
};
