/** The token by which a proxy shows the control API that it is one of the mesh's: in a file that its application cannot read. */
import { readFileSync } from 'node:fs';

/** What a request to this URL needs on top; nothing where there is no token to show, or where it is none of the control API. */
export type Credentials = (url: string | URL) => Readonly<Record<string, string>>;

export const NO_CREDENTIALS: Credentials = () => ({});

const MOST = 4096;

/**
 * `control`: URL of the control API, the only one that is shown the token. Read anew for each request: the control API may make the file
 * later than this proxy starts, and another one later on. One that cannot be read is as none: its answer says what is missing.
 */
export function joinToken(control: string, file: string): Credentials {
  const { origin } = new URL(control);
  return (url) => {
    const token = new URL(url).origin === origin ? tokenIn(file) : null;
    return token === null ? {} : { authorization: `Bearer ${token}` };
  };
}

/** As a proxy's options have it. */
export const credentialsOf = (source: Origin): Credentials =>
  source.kind === 'files' || source.joinTokenFile === undefined
    ? NO_CREDENTIALS
    : joinToken(source.url, source.joinTokenFile);

/** Where a configuration comes from. */
export type Origin =
  { readonly kind: 'files' } | { readonly kind: 'control-api'; readonly url: string; readonly joinTokenFile?: string };

function tokenIn(file: string): string | null {
  try {
    const token = readFileSync(file, 'utf8').trim();
    return token.length <= MOST && /^[\w.~+/-]+=*$/.test(token) ? token : null;
  } catch {
    return null;
  }
}
