/** Which request headers are believed, by where a request comes in; and the X-Forwarded ones a proxy adds. */
import { getAll, getJoined, indexOf, remove, set, type HeaderList } from '../core/header-list.ts';
import type { Exchange } from '../live/exchange.ts';

/** Control headers between proxies: nobody outside may send them (Envoy trusts private addresses with them; we do not). */
const CONTROL = /^x-(?:envoy|istio|lateen)-/i;
/** Between sidecars: what speaks for a proxy, and what is for proxies only. */
const PEER = /^x-(?:envoy-(?:peer-metadata|peer-metadata-id|decorator-operation)|lateen-.*)$/i;

/** What the client spoke. The scheme of an absolute target is only what it says, and others trust this header. */
const SPOKEN = 'http';

/** Takes away what the caller must not say, and adds what the next hop should know. */
export function trustHeaders(x: Exchange): void {
  const { headers } = x;
  switch (x.direction) {
    case 'gateway':
      drop(headers, CONTROL);
      set(headers, 'x-forwarded-for', forwardedFor(headers, x.connection.remoteAddress));
      set(headers, 'x-forwarded-proto', SPOKEN);
      checkTraceParent(headers);
      break;
    case 'inbound':
      drop(headers, PEER);
      if (indexOf(headers, 'x-forwarded-proto') < 0) headers.push('x-forwarded-proto', SPOKEN);
      break;
    case 'outbound':
      remove(headers, CERTIFICATE_CLAIM);
      if (indexOf(headers, 'x-forwarded-proto') < 0) headers.push('x-forwarded-proto', SPOKEN);
  }
}

function forwardedFor(headers: HeaderList, address: string): string {
  const before = getJoined(headers, 'x-forwarded-for');
  return before === undefined ? address : `${before},${address}`;
}

/** `version-trace id-parent id-flags`; longer only in versions to come (https://www.w3.org/TR/trace-context/#traceparent-header). */
const TRACE_PARENT =
  /^(?!ff)(?:00-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-[\da-f]{2}|(?!00)[\da-f]{2}-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-[\da-f]{2}(?:-.{0,64})?)$/;

/** What strangers send in its place must not confuse those who read it further on; without it a tracestate says nothing. */
function checkTraceParent(headers: HeaderList): void {
  const at = indexOf(headers, 'traceparent');
  if (at < 0) return;
  if (TRACE_PARENT.test(headers[at + 1]!) && getAll(headers, 'traceparent').length === 1) return;
  remove(headers, 'traceparent');
  remove(headers, 'tracestate');
}

/** Drops matching headers, and the certificate claim that only a TLS handshake could prove. */
function drop(headers: HeaderList, which: RegExp): void {
  let to = 0;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!;
    const first = name.charCodeAt(0);
    if ((first === 120 || first === 88) && name.length > 8 && (which.test(name) || isCertificateClaim(name))) continue;
    if (to !== i) {
      headers[to] = name;
      headers[to + 1] = headers[i + 1]!;
    }
    to += 2;
  }
  if (to !== headers.length) headers.length = to;
}

const CERTIFICATE_CLAIM = 'x-forwarded-client-cert';

const isCertificateClaim = (name: string): boolean =>
  name.length === CERTIFICATE_CLAIM.length && name.toLowerCase() === CERTIFICATE_CLAIM;
