/** `match` of a VirtualService's http routes: which requests a route is for. */
import { headerName } from './format.ts';
import { bool, described, ignored, list, map, object, port, string } from './field.ts';
import type { Infer } from './schema.ts';
import { labels } from './selector.ts';
import { stringMatch } from './string-match.ts';

/** A claim of a JSON web token in place of a header's name (gateways). */
const CLAIM = /^@request\.auth\.claims[.[]/;

const headerMatches = (description: string) =>
  map(stringMatch, description, { key: (name) => (CLAIM.test(name) ? null : headerName(name)) });

export const httpMatchRequest = object(
  {
    name: string('Appended to the name of the route, in logs and metrics'),
    uri: described(stringMatch, 'Path of the request, without its query'),
    ignoreUriCase: bool('Compares an exact or prefix uri blind to case', { default: false }),
    scheme: described(stringMatch, 'Scheme of the request: http or https'),
    method: described(stringMatch, 'Method of the request, case-sensitive'),
    authority: described(stringMatch, 'Host header as the client sent it, with its port, case-sensitive'),
    headers: headerMatches('Headers by lower-case name; all must match, `{}` asks only that the header is there'),
    withoutHeaders: headerMatches('Headers by lower-case name; none may match'),
    queryParams: map(stringMatch, 'Query parameters by name; all must match'),
    port: port('Port of the service the request was sent to; absent: any'),
    sourceLabels: labels('Labels of the calling workload; all must be there'),
    sourceNamespace: string('Namespace of the calling workload'),
    gateways: list(
      string('Name of a Gateway, or `mesh`'),
      'Gateways this match is for; replaces sourceLabels and sourceNamespace',
    ),
    statPrefix: ignored(string('Prefix of per-route statistics'), 'Lateen has no per-route statistics of that form'),
  },
  'Conditions on a request; all of them have to hold',
);
export type HttpMatchRequest = Infer<typeof httpMatchRequest>;
