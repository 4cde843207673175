/** What every load generator is told and what it tells. */

export type Target = {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  /** Sent with every request; `Host` among them. */
  readonly headers: Readonly<Record<string, string>>;
};

/** Milliseconds. `p999` is null where the tool does not tell it. */
export type Latency = {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number | null;
  readonly max: number;
};

export type LoadResult = {
  readonly tool: string;
  /** Answers with status 2xx. */
  readonly requests: number;
  /** Refused, cut off, timed out, or answered with another status. */
  readonly errors: number;
  readonly seconds: number;
  /** Milliseconds. */
  readonly latencyMs: Latency;
  /** How late the generator itself was, 99th percentile in ms; null for closed-loop tools. */
  readonly lagMs: number | null;
};
