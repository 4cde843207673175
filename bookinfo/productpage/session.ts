/** Who is signed in: a name in a signed cookie, as the original keeps it. Anyone may take any name; the signature only keeps it unforged. */
import { createHmac, timingSafeEqual } from 'node:crypto';

export type Sessions = {
  /** The user of a request's Cookie header; null when there is none or its signature is wrong. */
  read(cookies: string | undefined): string | null;
  /** A Set-Cookie value that signs the user in. */
  signIn(user: string): string;
  /** A Set-Cookie value that signs whoever it is out. */
  signOut(): string;
};

const ATTRIBUTES = 'HttpOnly; Path=/; SameSite=Lax';

export function sessions(secret: string | Buffer): Sessions {
  const sign = (payload: string): Buffer => createHmac('sha256', secret).update(payload).digest();
  return {
    read: (cookies) => {
      // A browser may send several of that name (another path, another signer): the first that holds counts.
      for (const [, payload, signature] of (cookies ?? '').matchAll(
        /(?:^|;)\s*session=([\w-]+)\.([\w-]+)\s*(?=;|$)/g,
      )) {
        const given = Buffer.from(signature!, 'base64url');
        const right = sign(payload!);
        if (given.length === right.length && timingSafeEqual(given, right))
          return Buffer.from(payload!, 'base64url').toString('utf8');
      }
      return null;
    },
    signIn: (user) => {
      const payload = Buffer.from(user, 'utf8').toString('base64url');
      return `session=${payload}.${sign(payload).toString('base64url')}; ${ATTRIBUTES}`;
    },
    signOut: () => `session=; Max-Age=0; ${ATTRIBUTES}`,
  };
}
