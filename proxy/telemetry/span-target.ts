/** Collectors that spans are posted to: where, in what, and how they say that they did not take all. */
import type { SpanFormat } from './spans.ts';

export type SpanTarget = {
  readonly format: SpanFormat;
  readonly url: URL;
  /** Stands before and after the spans of a request. */
  readonly open: Buffer;
  readonly close: Buffer;
  /** Of an answer with a status of success: the spans that were not taken after all. */
  readonly refused: (answer: string) => { readonly count: number; readonly why: string };
};

const NONE = { count: 0, why: '' };

/** `collector`: `http://127.0.0.1:9411`, or all of it up to `/api/v2/spans`. Throws when it is no http or https URL. */
export const zipkinTarget = (collector: string): SpanTarget => ({
  format: 'zipkin',
  url: endpoint('zipkin', collector, '/api/v2/spans', 9411),
  open: Buffer.from('['),
  close: Buffer.from(']'),
  refused: () => NONE,
});

/** `collector`: `http://127.0.0.1:4318`, or all of it up to `/v1/traces`. Throws when it is no http or https URL. */
export const otlpTarget = (
  collector: string,
  envelope: { readonly open: string; readonly close: string },
): SpanTarget => ({
  format: 'otlp',
  url: endpoint('otlp', collector, '/v1/traces', 4318),
  open: Buffer.from(envelope.open),
  close: Buffer.from(envelope.close),
  refused: partialSuccess,
});

/** `{"partialSuccess":{"rejectedSpans":"3","errorMessage":"…"}}`; 64-bit numbers are strings in JSON. Anything else: all were taken. */
function partialSuccess(answer: string): { count: number; why: string } {
  if (!answer.includes('rejectedSpans') && !answer.includes('rejected_spans')) return NONE;
  try {
    const said = (JSON.parse(answer) as { partialSuccess?: { rejectedSpans?: unknown; errorMessage?: unknown } | null })
      .partialSuccess;
    const count = Number(said?.rejectedSpans ?? 0);
    const why = typeof said?.errorMessage === 'string' ? said.errorMessage.slice(0, 200) : '';
    return Number.isSafeInteger(count) && count > 0 ? { count, why } : NONE;
  } catch {
    return NONE;
  }
}

function endpoint(kind: string, collector: string, path: string, port: number): URL {
  const url = URL.parse(collector);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new TypeError(
      `${kind} collector: expected an http or https URL such as http://127.0.0.1:${port}, got ${JSON.stringify(collector)}`,
    );
  }
  if (!url.pathname.endsWith(path)) url.pathname = `${url.pathname.replace(/\/+$/, '')}${path}`;
  return url;
}
