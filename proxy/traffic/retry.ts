/** Whether a try that failed is worth another, and how long to wait: Envoy's retry-on words, decided from what happened alone. */
import { get, indexOf, type HeaderList } from '../core/header-list.ts';
import type { Random } from '../core/random.ts';
import type { RetryPolicy } from '../snapshot/route.ts';

/** How a try ended. What is not here (no endpoint, overflow, the route's timeout) is never tried again. */
export type TryOutcome =
  /** No connection came about: nothing was sent. */
  | { readonly kind: 'connect-failure' }
  /** `headers` are those of the response. */
  | { readonly kind: 'response'; readonly status: number; readonly headers: HeaderList }
  /** The connection ended before a response; `gotBytes`: some of one had come. `sent: false`: no byte of the request left. */
  | { readonly kind: 'reset'; readonly gotBytes: boolean; readonly sent?: boolean }
  | { readonly kind: 'per-try-timeout' };

/**
 * Milliseconds to wait before the next try, or null: no other. `tries` are those made so far, 1 after the first. The wait is drawn
 * evenly from [0, (2^tries - 1) × backoff), ten times the backoff at most (Envoy's fully jittered exponential backoff).
 */
export function retryDelay(policy: RetryPolicy, outcome: TryOutcome, tries: number, random: Random): number | null {
  if (tries > policy.attempts || !isRetriable(policy, outcome)) return null;
  // 2^4 - 1 is past the cap already; larger powers would only overflow.
  return random() * Math.min(2 ** Math.min(tries, 4) - 1, 10) * policy.backoff;
}

/** Whether the policy would try again if it had tries left (flag URX says it had none). */
export function isRetriable(policy: RetryPolicy, outcome: TryOutcome): boolean {
  const on = wordsOf(policy);
  switch (outcome.kind) {
    case 'connect-failure':
      // Envoy counts every reset as the 503 it would end in.
      return on.has('connect-failure') || onReset(on) || on.has('reset-before-request');
    case 'reset':
      return onReset(on) || (outcome.sent === false && !outcome.gotBytes && on.has('reset-before-request'));
    case 'per-try-timeout':
      return onReset(on);
    case 'response':
      return on.forResponse(outcome.status, outcome.headers);
  }
}

const onReset = (on: Words): boolean => on.has('reset') || on.has('5xx') || on.has('gateway-error');

type Words = {
  has(word: string): boolean;
  forResponse(status: number, headers: HeaderList): boolean;
};

/** Made once for a policy: every response of its route asks. */
const known = new WeakMap<RetryPolicy, Words>();

function wordsOf(policy: RetryPolicy): Words {
  let words = known.get(policy);
  if (words === undefined) {
    words = compileWords(policy);
    known.set(policy, words);
  }
  return words;
}

/** gRPC statuses by their words (grpc.io status codes). */
const GRPC: ReadonlyMap<string, string> = new Map([
  ['cancelled', '1'],
  ['deadline-exceeded', '4'],
  ['resource-exhausted', '8'],
  ['internal', '13'],
  ['unavailable', '14'],
]);

function compileWords(policy: RetryPolicy): Words {
  const on = new Set(policy.on);
  const codes = on.has('retriable-status-codes') ? policy.statusCodes : [];
  const grpc = new Set(policy.on.map((word) => GRPC.get(word)).filter((code) => code !== undefined));
  const byStatus = (status: number): boolean =>
    (status >= 500 && (on.has('5xx') || (status >= 502 && status <= 504 && on.has('gateway-error')))) ||
    (status === 409 && on.has('retriable-4xx')) ||
    codes.includes(status);
  return {
    has: (word) => on.has(word),
    forResponse(status, headers) {
      if (status >= 400 && indexOf(headers, 'x-envoy-ratelimited') >= 0) return on.has('envoy-ratelimited');
      if (byStatus(status)) return true;
      // gRPC fails in a 200.
      return grpc.size > 0 && grpc.has(get(headers, 'grpc-status') ?? '');
    },
  };
}
