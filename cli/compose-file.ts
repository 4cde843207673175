/** A compose file as data, what the pods of docker-compose.yml have in common, and how it is written down. */
import { Alias, Document, isAlias, isCollection, isMap, isScalar, Pair, Scalar, type YAMLMap } from 'yaml';

/** Texts are compose's: `${NAME}` is filled in, `$$` means `$`. */
export type ComposeValue =
  string | number | boolean | null | readonly ComposeValue[] | { readonly [name: string]: ComposeValue };
export type ComposeService = Readonly<Record<string, ComposeValue>>;
export type Environment = Readonly<Record<string, string | null>>;

/** A service: what it shares with others of its kind, and what it says itself, which comes first. */
export type Part = {
  readonly base: BaseName;
  readonly own: ComposeService & { readonly environment?: Environment };
};
export type BaseName = keyof typeof BASES;

export type ComposeFile = {
  readonly services: Readonly<Record<string, Part>>;
  readonly volumes: Readonly<Record<string, ComposeValue>>;
};

/** A text that means itself. */
export const literal = (text: string): string => text.replaceAll('$', '$$$$');

/** Of whatever runs in this mesh. */
const ANY = {
  restart: 'unless-stopped',
  logging: { driver: 'json-file', options: { 'max-size': '10m', 'max-file': '3' } },
} satisfies ComposeService;

const LATEEN = {
  ...ANY,
  image: 'lateen',
  read_only: true,
  tmpfs: ['/tmp'],
  cap_drop: ['ALL'],
  security_opt: ['no-new-privileges:true'],
} satisfies ComposeService;

/** Flags of `lateen iptables`, which every pod gets. */
export const REDIRECT = [
  '--redirect-dns',
  '--istio-service-cidr=${INCLUDE_OUTBOUND_IP_RANGES-*}',
  '--istio-service-exclude-cidr=${EXCLUDE_OUTBOUND_IP_RANGES-}',
] as const;

/** On whoever joins a network: it is made anew when the network is, which docker-compose 1.29 does not see to by itself. */
const LABELS = { 'dev.lateen.redirect': '${INCLUDE_OUTBOUND_IP_RANGES-*} ${EXCLUDE_OUTBOUND_IP_RANGES-}' };

/** The three containers of a pod as docker-compose.yml has them, and one of any other image. cli/compose-pod.test.ts compares the two. */
export const BASES = {
  pod: {
    ...LATEEN,
    user: '0:0',
    cap_add: ['NET_ADMIN', 'NET_RAW', 'SETUID', 'SETGID', 'SETPCAP'],
    tmpfs: ['/run', '/tmp'],
    entrypoint: ['/lateen/docker/pod.sh'],
    command: [...REDIRECT],
    volumes: ['pods:/run/lateen/pods'],
    stop_grace_period: '2s',
    depends_on: { control: { condition: 'service_started' } },
    healthcheck: { disable: true },
  },
  bookinfo: {
    ...LATEEN,
    user: '1000:1000',
    labels: LABELS,
    volumes: ['pods:/run/lateen/pods:ro'],
    stop_grace_period: '20s',
    healthcheck: healthOf(9080),
  },
  container: { ...ANY, labels: LABELS, stop_grace_period: '20s' },
  sidecar: {
    ...LATEEN,
    user: '1337:1337',
    command: ['sidecar'],
    labels: LABELS,
    volumes: ['pods:/run/lateen/pods:ro', 'join:/var/lib/lateen/join:ro', 'proxies:/var/lib/lateen/proxies'],
    stop_grace_period: '20s',
  },
} satisfies Record<string, ComposeService>;

/** Of a pod whose members do not wait by themselves. */
export const RULES_ARE_SET: ComposeValue = {
  test: ['CMD-SHELL', 'test -s /run/lateen/pods/$$LATEEN_POD'],
  interval: '2s',
  timeout: '3s',
  retries: 30,
};

/** Of every sidecar. */
export const SIDECAR_ENV: Environment = {
  LATEEN_CONTROL: 'http://control:8001',
  LATEEN_JOIN_TOKEN_FILE: '/var/lib/lateen/join/token',
  LATEEN_REGISTER: 'true',
  LATEEN_ZIPKIN: 'http://control:8001 ${LATEEN_ZIPKIN-http://zipkin:9411}',
  LATEEN_TRACING: '${TRACING-100}',
  LATEEN_OUTBOUND_POLICY: '${OUTBOUND_POLICY-ALLOW_ANY}',
  LATEEN_INTERCEPTION_MODE: 'REDIRECT',
  LATEEN_DNS_CAPTURE: '127.0.0.1:15053',
};

/** Asks one of BookInfo's services by itself, past the sidecar. */
export function healthOf(port: number): ComposeValue {
  return {
    test: ['CMD', 'curl', '-fsS', '-o', '/dev/null', '--max-time', '2', `http://127.0.0.1:${port}/health`],
    interval: '10s',
    timeout: '3s',
    retries: 3,
    start_period: '20s',
  };
}

/** YAML that docker-compose 1.29 and docker compose read alike. What services have in common is said once, as anchors. `head`: lines of a comment. */
export function composeText({ services, volumes }: ComposeFile, head: readonly string[]): string {
  const used = [...new Set(Object.values(services).map(({ base }) => base))];
  const withEnv = used.includes('sidecar');
  const content = {
    ...Object.fromEntries(used.map((base) => [`x-${base}`, BASES[base]])),
    ...(withEnv ? { 'x-sidecar-env': SIDECAR_ENV } : {}),
    services: Object.fromEntries(Object.entries(services).map(([name, { own }]) => [name, own])),
    ...(Object.keys(volumes).length === 0 ? {} : { volumes }),
  };
  const doc = new Document(content, { aliasDuplicateObjects: false });
  if (withEnv) (doc.get('x-sidecar-env') as YAMLMap).anchor = 'sidecar-env';
  for (const base of used) (doc.get(`x-${base}`) as YAMLMap).anchor = base;
  for (const [name, { base }] of Object.entries(services)) {
    const node = doc.getIn(['services', name]) as YAMLMap;
    merge(node, base);
    // A line between pods.
    if (base === 'pod') spaceBefore(doc, name);
    if (base === 'sidecar') merge(node.get('environment') as YAMLMap, 'sidecar-env');
  }
  for (const { key, value } of (doc.contents as unknown as YAMLMap<Scalar<string>, YAMLMap>).items) {
    const sections = key.value === 'services' || key.value === 'volumes' ? value!.items.map((s) => s.value) : [value];
    for (const section of sections) inOneLine(section as YAMLMap);
    (key as Scalar & { spaceBefore?: boolean }).spaceBefore = true;
  }
  quote(doc.contents);
  doc.commentBefore = head.map((line) => ` ${line}`.trimEnd() || ' ').join('\n');
  return doc.toString({ lineWidth: 0 });
}

function spaceBefore(doc: Document, service: string): void {
  const { items } = doc.get('services') as YAMLMap<Scalar & { spaceBefore?: boolean }>;
  const at = items.findIndex(({ key }) => key.value === service);
  if (at > 0) items[at]!.key.spaceBefore = true;
}

const merge = (node: YAMLMap, anchor: string): void =>
  void node.items.unshift(new Pair(new Scalar('<<'), new Alias(anchor)));

/** Lists and small maps of a service stand in one line each; the environment has a line for each variable. */
function inOneLine(section: YAMLMap): void {
  for (const { key, value } of section.items) {
    if (!isCollection(value) || (key as Scalar).value === 'environment') continue;
    value.flow = true;
  }
}

/** YAML 1.1 takes more words than 1.2 for something else than a text, and compose of either version its own. */
const PLAIN = /^[A-Za-z_/][\w./:@+*=-]*$/;
const WORDS = /^(?:true|false|yes|no|on|off|null|y|n)$/i;

function quote(node: unknown): void {
  if (isScalar(node)) {
    if (typeof node.value !== 'string') return;
    if (!PLAIN.test(node.value) || node.value.endsWith(':') || WORDS.test(node.value)) node.type = 'QUOTE_DOUBLE';
  } else if (isMap(node)) {
    // A merge is one only while it is plain.
    for (const { key, value } of node.items) if (!isAlias(value)) [key, value].forEach(quote);
  } else if (isCollection(node)) node.items.forEach(quote);
}
