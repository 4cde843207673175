/** The client's side of TLS: which certificates are trusted and shown, and whose certificate is accepted. */
import { readFileSync, statSync } from 'node:fs';
import { isIP } from 'node:net';
import type * as Tls from 'node:tls';
import type { ClientTls } from '../snapshot/cluster.ts';

/** Loaded by the first connection that needs it: most workers never do, and it is a megabyte in each. */
export const tlsModule = (): typeof Tls => process.getBuiltinModule('node:tls');

/** For `tls.connect`. Throws when a file cannot be read or is not what it should be. `host`: what was dialed, name or address. */
export function tlsOptions(tls: ClientTls, host: string): Tls.ConnectionOptions {
  const servername = tls.sni ?? (isIP(host) === 0 ? host : '');
  return {
    // What the certificate is checked against without a server name.
    host,
    ...(servername === '' ? {} : { servername }),
    secureContext: contextOf(tls),
    rejectUnauthorized: !tls.insecureSkipVerify,
    checkServerIdentity: (name, certificate) =>
      tls.subjectAltNames.length === 0
        ? tlsModule().checkServerIdentity(name, certificate)
        : checkNames(tls.subjectAltNames, certificate.subjectaltname ?? ''),
  };
}

/** Making one parses certificates: once per settings and version of their files, not per connection. */
const contexts = new WeakMap<ClientTls, { readonly versions: string; readonly context: Tls.SecureContext }>();

function contextOf(tls: ClientTls): Tls.SecureContext {
  const versions = [tls.caFile, tls.certFile, tls.keyFile].map(versionOf).join();
  const known = contexts.get(tls);
  if (known?.versions === versions) return known.context;
  const context = tlsModule().createSecureContext({
    ...(tls.caFile === null ? {} : { ca: readFileSync(tls.caFile) }),
    ...(tls.certFile === null ? {} : { cert: readFileSync(tls.certFile) }),
    ...(tls.keyFile === null ? {} : { key: readFileSync(tls.keyFile) }),
    minVersion: 'TLSv1.2',
  });
  contexts.set(tls, { versions, context });
  return context;
}

/** Kubernetes changes mounted secrets by a link to another file: its inode tells, too. */
function versionOf(file: string | null): string {
  if (file === null) return '';
  const { mtimeMs, size, ino } = statSync(file);
  return `${mtimeMs} ${size} ${ino}`;
}

function checkNames(wanted: readonly string[], listed: string): Error | undefined {
  const names = subjectAltNames(listed);
  if (wanted.some((want) => names.some((name) => stands(name, want)))) return undefined;
  return new Error(`the certificate is for ${names.join(', ') || 'no name'}, expected ${wanted.join(' or ')}`);
}

/** `DNS:a.example, URI:"spiffe://…", IP Address:10.0.0.1` as Node prints it: what could be taken for a separator is in JSON's quotes. */
export function subjectAltNames(listed: string): string[] {
  const entries = listed.match(/[^,\s"][^,"]*(?:"(?:[^"\\]|\\.)*")?/g) ?? [];
  return entries.flatMap((entry) => {
    const [, value] = /^(?:DNS|URI|IP Address|email):(.*)$/s.exec(entry) ?? [];
    if (value === undefined) return [];
    if (!value.startsWith('"')) return [value];
    try {
      return [String(JSON.parse(value))];
    } catch {
      return [];
    }
  });
}

/** `*.example.com` in a certificate stands for one label (RFC 9525 section 6.3); Envoy's exact matcher takes it so, too. */
function stands(name: string, wanted: string): boolean {
  if (name === wanted) return true;
  return name.startsWith('*.') && wanted.indexOf('.') > 0 && wanted.slice(wanted.indexOf('.')) === name.slice(1);
}
