/** What one http route of a VirtualService must keep to beyond its schema (Istio's validateHTTPRoute). */
import {
  checkCors,
  checkFault,
  checkRedirect,
  checkRetries,
  checkRewrite,
  checkDirectResponse,
} from './http-action-check.ts';
import { checkHeaders } from './header-check.ts';
import { checkDestination } from './host-check.ts';
import type { HttpMatchRequest } from './http-match.ts';
import type { Report } from './report.ts';
import type { StringMatch } from './string-match.ts';
import type { HttpRoute } from './virtual-service.ts';

export function checkHttpRoute(route: HttpRoute, report: Report): void {
  for (const [i, match] of (route.match ?? []).entries()) checkMatch(match, report.at('match', i));
  checkAction(route, report);
  checkHeaders(route.headers, report.at('headers'));
  checkWeights(route.route ?? [], report.at('route'));
  for (const [i, { destination, headers }] of (route.route ?? []).entries()) {
    checkDestination(destination, report.at('route', i, 'destination'));
    checkHeaders(headers, report.at('route', i, 'headers'));
  }
  if (route.redirect !== undefined) checkRedirect(route.redirect, route.match ?? [], report.at('redirect'));
  if (route.directResponse !== undefined) checkDirectResponse(route.directResponse, report.at('directResponse'));
  if (route.rewrite !== undefined) checkRewrite(route.rewrite, route.headers, report.at('rewrite'));
  if (route.retries !== undefined) checkRetries(route.retries, report.at('retries'));
  if (route.fault !== undefined) checkFault(route.fault, report.at('fault'));
  if (route.corsPolicy !== undefined) checkCors(route.corsPolicy, report.at('corsPolicy'));
}

/** A route forwards, redirects or answers: one of them, and nothing that belongs to another. */
function checkAction(route: HttpRoute, report: Report): void {
  const has = (field: keyof HttpRoute): boolean =>
    route[field] !== undefined && !(field === 'route' && route.route?.length === 0);
  if (!has('route') && !has('redirect') && !has('directResponse')) {
    report.error('expected route, redirect or directResponse, got none of them');
  }
  for (const [action, excluded] of [
    ['redirect', ['route', 'fault', 'rewrite']],
    ['directResponse', ['redirect', 'route', 'fault', 'rewrite']],
  ] as const) {
    for (const other of excluded)
      if (has(action) && has(other)) report.error(`expected ${action} or ${other}, got both`);
  }
  if (has('mirror') && has('mirrors')) report.error('expected mirror or mirrors, got both');
}

export function checkWeights(destinations: readonly { readonly weight?: number }[], report: Report): void {
  const total = destinations.reduce((sum, { weight = 0 }) => sum + weight, 0);
  if (destinations.length > 1 && total === 0)
    report.error('expected weights that sum to more than 0 (total destination weight = 0)');
  if (total > 2 ** 32 - 1) report.error(`expected weights that sum to at most ${2 ** 32 - 1}, got ${total}`);
}

function checkMatch(match: HttpMatchRequest, report: Report): void {
  for (const field of ['uri', 'scheme', 'method', 'authority'] as const) {
    const given = match[field];
    if (given === undefined) continue;
    if (Object.keys(given).length === 0) report.at(field).error('expected exact, prefix or regex, got none of them');
    checkStringMatch(given, report.at(field), field === 'uri');
  }
  for (const field of ['headers', 'withoutHeaders', 'queryParams'] as const) {
    for (const [name, given] of Object.entries(match[field] ?? {})) {
      checkStringMatch(given, report.at(field, name));
      if (name.startsWith('@request.auth.claims')) {
        report.at(field, name).error('not supported: Lateen does not check request tokens so far', true);
      }
    }
  }
}

/** `prefix: ""` is every path; anywhere else an empty text is a slip. */
export function checkStringMatch(match: StringMatch, report: Report, emptyPrefix = false): void {
  if (match.exact === '') report.at('exact').error('expected some text, got ""');
  if (match.prefix === '' && !emptyPrefix) report.at('prefix').error('expected some text, got ""');
}
