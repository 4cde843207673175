/** One parameter out of a query string, as Envoy's matchers see it: not decoded, the first of a repeated key. */

/** Undefined: the key is not there. `?key` and `?key=` have the value "". */
export function queryValue(path: string, name: string): string | undefined {
  let start = path.indexOf('?') + 1;
  if (start === 0) return undefined;
  while (start <= path.length) {
    const ampersand = path.indexOf('&', start);
    const end = ampersand < 0 ? path.length : ampersand;
    if (path.startsWith(name, start)) {
      const after = start + name.length;
      if (after === end) return '';
      if (after < end && path[after] === '=') return path.slice(after + 1, end);
    }
    start = end + 1;
  }
  return undefined;
}
