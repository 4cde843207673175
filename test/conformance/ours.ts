/** Our own readers, put together as the data plane does it: what they make of the first message of a text. */
import { targetOf } from '#proxy/listener/target.ts';
import { BodyReader } from '#proxy/wire/http1-body.ts';
import {
  DEFAULT_LIMITS,
  findHeadEnd,
  parseRequestHead,
  parseResponseHead,
  type Framing,
} from '#proxy/wire/http1-head.ts';
import type { Seen } from './llhttp.ts';

export type Ours =
  | { readonly kind: 'refused'; readonly details: string }
  | { readonly kind: 'incomplete' }
  | {
      readonly kind: 'read';
      readonly first: Omit<Seen, 'complete'>;
      readonly closes: boolean;
      readonly tunnels: boolean;
      readonly end: number;
    };

function readBody(bytes: Buffer, at: number, framing: Framing, length: number) {
  const reader = new BodyReader(framing, length);
  let body = '';
  const end = reader.done ? at : reader.read(bytes, at, { onBodyData: (chunk) => void (body += chunk.latin1Slice()) });
  return { reader, body, end };
}

export function ourRequest(text: string): Ours {
  const bytes = Buffer.from(text, 'latin1');
  const start = text.startsWith('\r\n') ? 2 : 0;
  const headEnd = findHeadEnd(bytes, start, 0);
  if (headEnd < 0) return { kind: 'incomplete' };
  const head = parseRequestHead(bytes, start, headEnd, DEFAULT_LIMITS);
  if (head.problem) return { kind: 'refused', details: head.details };
  const target = targetOf(head);
  if (target.problem) return { kind: 'refused', details: target.details };
  const { reader, body, end } = readBody(bytes, headEnd + 4, head.framing, head.contentLength);
  if (reader.problem !== null) return { kind: 'refused', details: reader.problem.details };
  if (!reader.done) return { kind: 'incomplete' };
  const { method, minor, headers, keepAlive, upgrade } = head;
  const first = { method, target: head.target, status: 0, minor, headers, body, trailers: reader.trailers };
  return { kind: 'read', first, closes: !keepAlive, tunnels: method === 'CONNECT' || upgrade !== null, end };
}

export function ourResponse(text: string, method: string): Ours {
  const bytes = Buffer.from(text, 'latin1');
  const headEnd = findHeadEnd(bytes, 0, 0);
  if (headEnd < 0) return { kind: 'incomplete' };
  const head = parseResponseHead(bytes, 0, headEnd, DEFAULT_LIMITS);
  if (head.problem) return { kind: 'refused', details: head.details };
  const { status, minor, headers } = head;
  const bodiless = method === 'HEAD' || status < 200 || status === 204 || status === 304;
  const { reader, body, end } = readBody(bytes, headEnd + 4, bodiless ? 'none' : head.framing, head.contentLength);
  if (reader.problem !== null) return { kind: 'refused', details: reader.problem.details };
  if (!reader.finish()) return { kind: 'incomplete' };
  const first = { method: '', target: '', status, minor, headers, body, trailers: reader.trailers };
  return { kind: 'read', first, closes: !head.keepAlive, tunnels: status === 101, end };
}
