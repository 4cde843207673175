/** Which request headers are believed, by where a request comes in; and the X-Forwarded ones a proxy adds. */
import { get, indexOf, set, type HeaderList } from '../core/header-list.ts';
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
      break;
    case 'inbound':
      drop(headers, PEER);
      if (indexOf(headers, 'x-forwarded-proto') < 0) headers.push('x-forwarded-proto', SPOKEN);
      break;
    case 'outbound':
      if (indexOf(headers, 'x-forwarded-proto') < 0) headers.push('x-forwarded-proto', SPOKEN);
  }
}

function forwardedFor(headers: HeaderList, address: string): string {
  const before = get(headers, 'x-forwarded-for');
  return before === undefined ? address : `${before},${address}`;
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

const isCertificateClaim = (name: string): boolean =>
  name.length === 28 && name.toLowerCase() === 'x-forwarded-client-cert';
