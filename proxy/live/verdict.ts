/** What a filter may say about a request. */
import type { Exchange } from './exchange.ts';
import type { Failure } from './failure.ts';

/** Go on to the next filter. */
export const CONTINUE = null;

/** Stop here; answer the client with this. */
export type Reply =
  | { readonly kind: 'failure'; readonly failure: Failure }
  /** A reply the configuration asked for: redirect, direct response, CORS preflight. `headers`: name, value, name, value … */
  | {
      readonly kind: 'local';
      readonly status: number;
      readonly details: string;
      readonly headers: readonly string[];
      readonly body: Uint8Array | string;
    };

export type Verdict = typeof CONTINUE | Reply;

/** A filter never throws, and returns a promise only when it must wait. */
export type Filter = (x: Exchange) => Verdict | Promise<Verdict>;

export const fail = (failure: Failure): Reply => ({ kind: 'failure', failure });
