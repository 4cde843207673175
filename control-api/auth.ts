/** Who may ask the control API for what: applications of the mesh nothing, its proxies what a proxy needs, everybody else everything. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { forbidden, type StatusError, unauthorized } from './kube/status-error.ts';
import type { Audience } from './route.ts';

export type Auth = {
  /** Does this address belong to the mesh? */
  readonly isMesh: (address: string) => boolean;
  /** What proxies show (`authorization: Bearer …`). */
  readonly token: string;
};

export type Asker = {
  /** Of the connection itself: headers that name another are anybody's to write. */
  readonly address: string;
  readonly authorization?: string | undefined;
};

/** Null: let it in. `auth` null: nobody is asked who they are, as on one machine, where all is one user's. */
export function denial(auth: Auth | null, asker: Asker, audience: Audience = 'operators'): StatusError | null {
  if (auth === null || audience === 'anybody' || !auth.isMesh(asker.address)) return null;
  if (audience === 'operators')
    return forbidden(
      `the control API is not for ${asker.address}, which is an address of the mesh: ask from outside of it, or say with ` +
        'lateen control --mesh-networks what the mesh is',
    );
  const shown = bearer(asker.authorization);
  if (shown !== null && same(shown, auth.token)) return null;
  const what = shown === null ? 'got no token' : 'got another token';
  return unauthorized(`expected the join token of this mesh, ${what}: a proxy shows it with --join-token-file`);
}

/** RFC 6750, 2.1. */
function bearer(authorization: string | undefined): string | null {
  return /^bearer +([\w.~+/-]+=*) *$/i.exec(authorization ?? '')?.[1] ?? null;
}

/** In a time that tells nothing of where they differ. */
const same = (a: string, b: string): boolean => timingSafeEqual(digest(a), digest(b));
const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
