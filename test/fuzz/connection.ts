/** What all bytes of one client connection mean, by our own readers: the requests in order, and how the connection goes on after them. */
import { normalizePath } from '#proxy/core/path.ts';
import { targetOf, type Target } from '#proxy/listener/target.ts';
import { BodyReader } from '#proxy/wire/http1-body.ts';
import { TOKEN } from '#proxy/wire/http1-fields.ts';
import {
  DEFAULT_LIMITS,
  findHeadEnd,
  hasBareLineFeed,
  parseRequestHead,
  type RequestHead,
} from '#proxy/wire/http1-head.ts';

export type ReadRequest = {
  readonly head: RequestHead;
  readonly target: Target;
  /** What the origin is to see; null: the proxy answers by itself. */
  readonly path: string | null;
  readonly body: string;
  readonly trailers: readonly string[];
};

export type ReadConnection = {
  readonly requests: readonly ReadRequest[];
  /**
   * `open`: the bytes end with a request. `close`: the client or the proxy wants no more after the last one. `refused`: what follows
   * is answered with an error and the end. `partial`: something is not here yet. `tunnel`: the last one asks for an upgrade.
   */
  readonly end: 'open' | 'close' | 'refused' | 'partial' | 'tunnel';
  /** Why it was refused; "" otherwise. */
  readonly details: string;
  /** Of a request whose body is refused or not here yet: its head has been passed on. */
  readonly unfinished: RequestHead | null;
};

/** Reads `text` (latin1) as a listener does that serves no CONNECT. */
export function readConnection(text: string): ReadConnection {
  const requests: ReadRequest[] = [];
  const over = (end: ReadConnection['end'], details = '', unfinished: RequestHead | null = null): ReadConnection => ({
    requests,
    end,
    details,
    unfinished,
  });
  let rest = Buffer.from(text, 'latin1');
  for (;;) {
    if (rest.length === 0) return over('open');
    if (rest[0] === 13 && rest.length === 1) return over('partial');
    if (rest[0] === 13 && rest[1] === 10) rest = rest.subarray(2);
    if (rest.length === 0) return over('open');
    const end = findHeadEnd(rest, 0, 0);
    if (end < 0) return over(hopeless(rest) ? 'refused' : 'partial', 'unfinished head');
    const head = parseRequestHead(rest, 0, end, DEFAULT_LIMITS);
    if (head.problem) return over('refused', head.details);
    const target = targetOf(head);
    if (target.problem) return over('refused', target.details);
    const path = target.path === '*' ? '*' : normalizePath(target.path);
    if (head.method === 'CONNECT') {
      requests.push({ head, target, path: null, body: '', trailers: [] });
      return over('close');
    }
    const foreign = head.upgrade !== null && head.upgrade.toLowerCase() !== 'websocket';
    const local = path === null || foreign;
    const reader = new BodyReader(head.framing, head.contentLength);
    // Answered before its body is looked at; what is left of it cannot be told from a request.
    if (local && !reader.done) {
      requests.push({ head, target, path: null, body: '', trailers: [] });
      return over('close');
    }
    let body = '';
    let at = end + 4;
    if (!reader.done) at = reader.read(rest, at, { onBodyData: (chunk) => void (body += chunk.latin1Slice()) });
    if (reader.problem !== null) return over('refused', reader.problem.details, head);
    if (!reader.done) return over('partial', 'unfinished body', head);
    requests.push({ head, target, path: local ? null : path, body, trailers: reader.trailers });
    if (!head.keepAlive) return over('close');
    rest = rest.subarray(at);
  }
}

/** An unfinished head that no further byte can mend. */
const hopeless = (bytes: Buffer): boolean =>
  bytes.length > DEFAULT_LIMITS.maxBytes || TOKEN[bytes[0]!] !== 1 || hasBareLineFeed(bytes, 0, 0);

/** The header `lower` as the next hop gets it, or undefined. */
export function passedOn(head: RequestHead, lower: string): string | undefined {
  if (head.nominated?.includes(lower) === true) return undefined;
  const values = head.headers.filter((_, i, all) => i % 2 === 1 && all[i - 1]!.toLowerCase() === lower);
  return values[0];
}
