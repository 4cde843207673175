/** Changes the path and the authority that the upstream is asked for. */
import { set } from '../core/header-list.ts';
import { compileReplace } from '../core/regex.ts';
import type { Exchange } from '../live/exchange.ts';
import type { Rewrite } from '../snapshot/route.ts';

/**
 * Changes `x.path` and `x.authority`; a path that was changed stays in `x.originalPath` and in the header `x-envoy-original-path`.
 * The query is kept. What would be no path is made one: a slash in front, nothing that could end the request line.
 */
export function makeRewrite({ path, authority }: Rewrite): (x: Exchange) => void {
  const change = path === null ? null : pathChange(path);
  if (change === null) return authority === null ? () => {} : (x) => void (x.authority = authority);
  return (x) => {
    if (authority !== null) x.authority = authority;
    const before = x.path;
    const query = before.indexOf('?');
    const after = change(query < 0 ? before : before.slice(0, query));
    if (after === null) return;
    x.originalPath = before;
    set(x.headers, 'x-envoy-original-path', before);
    x.path = query < 0 ? after : join(after, before.slice(query));
  };
}

/** The new path, or null when it does not apply. */
type Change = (path: string) => string | null;

function pathChange(rewrite: NonNullable<Rewrite['path']>): Change | null {
  const by = cleaned(rewrite.by);
  switch (rewrite.kind) {
    case 'whole':
      return () => rooted(by);
    case 'prefix': {
      const length = rewrite.matched.length;
      const matched = rewrite.ignoreCase ? rewrite.matched.toLowerCase() : rewrite.matched;
      return (path) => {
        const head = path.slice(0, length);
        if ((rewrite.ignoreCase ? head.toLowerCase() : head) !== matched) return null;
        return rooted(by + path.slice(length));
      };
    }
    case 'regex': {
      const replace = compileReplace(rewrite.match, by);
      return replace && ((path) => rooted(replace(path)));
    }
  }
}

const rooted = (path: string): string => (path.startsWith('/') ? path : `/${path}`);

/** A replacement may bring a query of its own. */
const join = (path: string, query: string): string => (path.includes('?') ? `${path}&${query.slice(1)}` : path + query);

/** Percent-encodes what would break the request line or begin a fragment. */
const cleaned = (by: string): string => by.replace(/[^!-~]|#/gu, (c) => encodeURIComponent(c.toWellFormed()));
