/** Path templates of AuthorizationPolicy: `{*}` stands for one segment, `{**}` for any number at the end (Envoy's uri_template). */

const LITERAL = /^[-a-zA-Z0-9._~%!$&'()+,;:@=]+$/;

export const isPathTemplate = (path: string): boolean => path.includes('{*}') || path.includes('{**}');

/** What is wrong with a path; null when it is fine. Plain paths may have one `*`, at an end. */
export function pathFault(path: string): string | null {
  if (!isPathTemplate(path)) {
    const inner = path === '*' ? '' : path.replace(/^\*|\*$/, '');
    return inner.includes('*') ? 'expected a `*` only at the start or at the end' : null;
  }
  if (!path.startsWith('/')) return 'expected a template that starts with `/`';
  const segments = path.slice(1).split('/');
  for (const [i, segment] of segments.entries()) {
    const last = i === segments.length - 1;
    if (segment === '{*}' || (segment === '' && last)) continue;
    if (segment === '{**}') {
      if (!last && segments.slice(i + 1).some((later) => later === '{**}' || later === '{*}'))
        return 'expected `{**}` as the last operator';
      continue;
    }
    if (/[*{}]/.test(segment))
      return 'expected `{*}` and `{**}` as whole segments, and no other `*`, `{` or `}` beside them';
    if (!LITERAL.test(segment))
      return "expected segments of letters, digits and `-._~%!$&'()+,;:@=` beside `{*}` and `{**}`";
  }
  return null;
}
