/** What a rule can ask of a request: method, path, host, headers, each in every reading it may have. */
import { getJoined, indexOf, type HeaderList } from '../core/header-list.ts';
import { hostOf, portOf } from '../core/authority.ts';
import { pathOfTarget } from '../core/path.ts';
import { viewsOf } from '../core/path-view.ts';
import type { Exchange } from '../live/exchange.ts';
import type { Attribute } from '../snapshot/authz.ts';
import type { StringMatch } from '../snapshot/match.ts';
import { connectionFact, isBroken, valueTest, type AuthzEnv } from './fact.ts';
import { parsePathTemplate } from './path-template.ts';
import { errs, type MakeLeaf, type Stance, type Test } from './rule.ts';

type Fits = (value: string) => boolean;

/** For HTTP listeners. */
export function requestLeaf(env: AuthzEnv): MakeLeaf<Exchange> {
  const paths = pathReader();
  return (leaf, stance) => {
    const fact = connectionFact(leaf, stance, env);
    if (typeof fact === 'boolean') return fact;
    if (fact !== null) return (x) => fact(x.connection);
    if (leaf.kind === 'path-template') {
      const fits = parsePathTemplate(leaf.template);
      return fits === null ? errs(stance) : pathTest(fits, stance, paths);
    }
    if (leaf.kind !== 'string' || isBroken(leaf.match)) return errs(stance);
    return attributeTest(leaf.attribute, leaf.match, stance, paths);
  };
}

type Paths = (x: Exchange) => readonly string[];

/** The readings of the path of a request, worked out once however many rules ask. */
function pathReader(): Paths {
  let target = '';
  let path = '';
  let views: readonly string[] = [''];
  return (x) => {
    if (x.target !== target || x.path !== path) {
      target = x.target;
      path = x.path;
      views = viewsOf(pathOfTarget(target), path);
    }
    return views;
  };
}

function attributeTest(attribute: Attribute, match: StringMatch, stance: Stance, paths: Paths): Test<Exchange> {
  const fits = valueTest(match);
  switch (attribute.of) {
    case 'request.path':
      return pathTest(fits, stance, paths);
    case 'request.host':
      return hostTest(fits, stance);
    case 'request.header':
      return headerTest(attribute.name.toLowerCase(), match, stance, paths);
    case 'request.method':
      return (x) => fits(x.method);
    default:
      // Facts of the connection were answered before.
      return () => errs(stance);
  }
}

function pathTest(fits: Fits, stance: Stance, paths: Paths): Test<Exchange> {
  return stance === 'broad' ? (x) => paths(x).some(fits) : (x) => paths(x).every(fits);
}

/**
 * `Host` as written is what Istio compares. A DENY also sees it without port, without the dot of the root and in lower case, or
 * `example.com.` and `example.com:81` would pass where `example.com` must not.
 */
function hostTest(fits: Fits, stance: Stance): Test<Exchange> {
  if (stance === 'narrow') return ({ authority }) => fits(authority);
  return ({ authority }) => {
    if (fits(authority)) return true;
    const host = hostOf(authority);
    const port = portOf(authority, 0);
    return fits(host) || (port > 0 && fits(`${host}:${port}`));
  };
}

/** Pseudo headers are known by their own attributes. */
function headerTest(name: string, match: StringMatch, stance: Stance, paths: Paths): Test<Exchange> {
  // Of a header, `*` asks only that it is there.
  const fits: Fits = match.kind === 'present' ? () => true : valueTest(match);
  switch (name) {
    case 'host':
    case ':authority':
      return hostTest(fits, stance);
    case ':method':
      return (x) => fits(x.method);
    case ':scheme':
      return (x) => fits(x.scheme);
    case ':path':
      return pathTest(fits, stance, paths);
    default:
      return stance === 'broad' ? (x) => anyLine(x.headers, name, fits) : (x) => everyLine(x.headers, name, fits);
  }
}

/** Any line of the header, or all lines joined (CVE-2026-26308). */
function anyLine(headers: HeaderList, name: string, fits: Fits): boolean {
  let lines = 0;
  for (let i = indexOf(headers, name); i >= 0; i = indexOf(headers, name, i + 2)) {
    if (fits(headers[i + 1]!)) return true;
    lines++;
  }
  return lines > 1 && fits(getJoined(headers, name)!);
}

/** Every line, and all lines joined; at least one. */
function everyLine(headers: HeaderList, name: string, fits: Fits): boolean {
  let lines = 0;
  for (let i = indexOf(headers, name); i >= 0; i = indexOf(headers, name, i + 2)) {
    if (!fits(headers[i + 1]!)) return false;
    lines++;
  }
  return lines === 1 || (lines > 1 && fits(getJoined(headers, name)!));
}
