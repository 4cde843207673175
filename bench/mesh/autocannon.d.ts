/** The part of autocannon that is used here; it brings no types (github.com/mcollina/autocannon#api). */
declare module 'autocannon' {
  export type Result = {
    /** Seconds. */
    readonly duration: number;
    /** Requests that no answer came to; those in time among them. */
    readonly errors: number;
    readonly timeouts: number;
    readonly requests: { readonly total: number };
    /** Milliseconds. */
    readonly latency: Readonly<Record<'p50' | 'p90' | 'p99' | 'p99_9' | 'max', number>>;
    readonly statusCodeStats: Readonly<Record<string, { readonly count: number }>>;
  };
  export type Options = {
    readonly url: string;
    readonly connections: number;
    /** Seconds. */
    readonly duration: number;
    readonly timeout: number;
    readonly overallRate?: number;
    readonly verifyBody: (body: string | Buffer) => boolean;
  };
  export default function autocannon(
    options: Options,
    done: (error: Error | null, result: Result) => void,
  ): { stop(): void };
}
