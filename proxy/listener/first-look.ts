/** What a connection speaks whose port does not tell: TLS, and to whom; HTTP; or something else. */
import type { Clock } from '../core/clock.ts';
import { MAX_CLIENT_HELLO, readClientHello } from '../wire/client-hello.ts';
import { speaks } from '../wire/first-bytes.ts';
import { readUntil, type Held } from './first-bytes.ts';

/** What the first bytes of a connection say. */
export type Seen = {
  /** `other`: neither, or nothing was said for so long that the server must be the one who speaks first. */
  readonly speaks: 'tls' | 'http' | 'other';
  /** Of the TLS hello, lower case; "": none. */
  readonly serverName: string;
  /** Why the TLS hello cannot be believed; "": it can. */
  readonly broken: string;
};

/** Calls `done` once; with null when the client was gone before it said anything. */
export function firstLook(held: Held, clock: Clock, done: (seen: Seen | null, held: Held) => void): void {
  readUntil(held, clock, see, cutShort, done);
}

const OTHER: Seen = { speaks: 'other', serverName: '', broken: '' };
const HTTP: Seen = { speaks: 'http', serverName: '', broken: '' };
const broken = (why: string): Seen => ({
  speaks: 'tls',
  serverName: '',
  broken: `the TLS hello cannot be read: ${why}`,
});

/** A part of a hello is no way past the rules for server names: nobody gets it, as nobody does with Envoy, which goes on waiting. */
const cutShort = (bytes: Buffer | null): Seen =>
  bytes !== null && speaks(bytes) === 'tls' ? broken('it did not come whole') : OTHER;

/** Null: not enough is here. */
function see(bytes: Buffer): Seen | null {
  const what = speaks(bytes);
  if (what === 'more') return null;
  if (what === 'http') return HTTP;
  if (what === 'other') return OTHER;
  const hello = readClientHello(bytes);
  switch (hello.kind) {
    case 'more':
      return bytes.length < MAX_CLIENT_HELLO ? null : broken('it is too long');
    case 'not-tls':
      return OTHER;
    case 'broken':
      return broken(hello.why);
    case 'hello':
      return { speaks: 'tls', serverName: hello.serverName, broken: '' };
  }
}
