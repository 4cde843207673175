/** Where Envoy and we part on purpose. What is not here is a finding. */
import { REQUEST_CLASSES } from '../conformance/stricter.ts';

/** Start of a difference's name → why it is so; `only`: bytes it must be about. */
type Known = readonly [difference: string, why: string, only?: RegExp];

/** Envoy 1.40's reader (Balsa) in its default, lenient validation. */
const STRICTER: readonly Known[] = [
  [
    'stricter, unfinished head',
    'Envoy takes a line feed alone for a line end (RFC 9112 section 2.2 lets it)',
    /(?:^|[^\r])\n/,
  ],
  [
    'stricter, unfinished head',
    'Envoy passes over carriage returns before a request, and answers one of HTTP/0.9 with 426',
    /^[\r\n]*[A-Z]+ [^\r\n ]+\r\n/,
  ],
  ['stricter, http1.bare_line_feed', 'the same', /(?:^|[^\r])\n/],
  [
    'stricter, http1.invalid_header_value',
    'the same, or a carriage return alone, which Envoy takes for a space',
    /[\r\n]/,
  ],
  [
    'stricter, http1.invalid_header_name',
    'Envoy takes what is no token, and lines without a colon, in some forms',
    /[\r\n]/,
  ],
  ['stricter, http1.obs_fold', 'Envoy unfolds; we refuse (RFC 9112 section 5.2 allows both)'],
  ['stricter, http1.invalid_trailer', 'trailers by the rules of fields; Envoy drops them unread by default'],
  ['stricter, http1.invalid_chunk_end', 'chunk data ends with CR LF; Envoy takes LF'],
];

const KINDER: readonly Known[] = [
  [
    'kinder, Envoy refuses, 400 http1.codec_error',
    'Envoy knows a list of methods, RFC 9110 section 9.1 does not',
    /^(?:\r\n)?(?!(?:GET|HEAD|POST|PUT|DELETE|CONNECT|OPTIONS|PATCH|PROPFIND) )[!#$%&'*+\-.^_`|~0-9A-Z]+ /,
  ],
  [
    'kinder, Envoy refuses, 404 absolute_path_rejected',
    'OPTIONS * is for the server; Envoy routes paths only',
    /^(?:\r\n)?OPTIONS \* /,
  ],
  [
    'kinder, Envoy refuses, 400 http1.connection_header_rejected',
    'Envoy refuses that X-Forwarded-Proto and the like be named in Connection; we do not do it, and serve the request',
    /connection:/i,
  ],
  [
    'kinder, Envoy refuses, 403 ',
    'HTTP/1.0 knows no upgrade: the field is to be ignored (RFC 9110 section 7.8); Envoy refuses the request',
    /^(?:\r\n)?[A-Z]+ \S+ HTTP\/1\.0\r\n/,
  ],
  [
    'kinder, Envoy refuses, 400 missing_host_header',
    'Envoy takes Host away when Connection names it, and misses it then; it is not for this hop only, and stays',
    /\nconnection:[^\r]*host/i,
  ],
  [
    'kinder, Envoy refuses, 404 absolute_path_rejected',
    'a scheme is blind to case (RFC 3986 section 3.1); Envoy takes one with a capital for no scheme',
    /^(?:\r\n)?[A-Z]+ (?!https?:)[Hh][Tt][Tt][Pp][Ss]?:\/\//,
  ],
  [
    'kinder, Envoy refuses, 400 ',
    'a colon that Connection names is no field and takes nothing away; Envoy refuses the request',
    /\nconnection:[^\r]*:/i,
  ],
  ['another target', 'a dot segment by escapes and with parameters: Envoy leaves `..;` to the next server', /%2e.*;/i],
];

const KNOWN: readonly Known[] = [
  ...REQUEST_CLASSES.map(([details, , why]): Known => [`stricter, ${details}`, why]),
  ...STRICTER,
  ...KINDER,
];

/** Why `difference` is as it is, or null when nobody has said so yet. `text`: the bytes that show it. */
export function knownDifference(difference: string, text: string): string | null {
  const known = KNOWN.find(([name, , only]) => difference.startsWith(name) && (only === undefined || only.test(text)));
  return known === undefined ? null : known[1];
}
