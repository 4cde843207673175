/** One message before our reader and both llhttps: what we read they read alike, what they read and we refuse is a known class. */
import assert from 'node:assert/strict';
import { same, sameToUndici } from './alike.ts';
import { readAll } from './llhttp.ts';
import { ourRequest, ourResponse, type Ours } from './ours.ts';
import { assertKnown, REQUEST_CLASSES, RESPONSE_CLASSES } from './stricter.ts';

const NEXT = 'GET /next HTTP/1.1\r\nHost: h\r\n\r\n';

/** Our reading of the request `text` (latin1), with another one behind it; throws an AssertionError when the readers differ. */
export function requestParity(text: string): Ours {
  const ours = ourRequest(text + NEXT);
  const llhttp = readAll('request', text + NEXT);
  if (ours.kind === 'refused' && llhttp.messages[0]?.complete === true)
    assertKnown(REQUEST_CLASSES, ours.details, text);
  if (ours.kind !== 'read') return ours;
  same(ours, llhttp.messages[0], llhttp.error);
  sameToUndici(ours, 'request', text + NEXT);
  // After close or an upgrade llhttp reads no further.
  if (ours.closes || ours.tunnels || llhttp.messages.length < 2) return ours;
  const second = ourRequest((text + NEXT).slice(ours.end));
  if (second.kind === 'read') same(second, llhttp.messages[1], llhttp.error);
  else
    assert.ok(llhttp.messages[1]?.complete !== true || second.kind === 'refused', 'only llhttp sees a second request');
  return ours;
}

/** The same of a response to `method` and the end of its connection. */
export function responseParity(text: string, method: string): Ours {
  const ours = ourResponse(text, method);
  const llhttp = readAll('response', text, method, true);
  if (ours.kind === 'refused' && llhttp.messages[0]?.complete === true)
    assertKnown(RESPONSE_CLASSES, ours.details, text);
  if (ours.kind !== 'read' || ours.tunnels) return ours;
  // llhttp reads a body where an informational answer claims one; RFC 9112 section 6.3 says that there is none.
  if (ours.first.status < 200) return ours;
  same(ours, llhttp.messages[0], llhttp.error);
  if (method === 'GET') sameToUndici(ours, 'response', text);
  return ours;
}
