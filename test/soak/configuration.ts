/** What the proxy under the soak is told, and told again otherwise every few seconds: weights, a policy that comes and goes, a revision. */
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Version } from './origin.ts';

/** The time limit of routes under /hang, ms. */
export const HANG_LIMIT = 1000;

const GATEWAY = `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: soak, namespace: default }
spec:
  selector: { istio: ingressgateway }
  servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ['*'] }]
`;

const SUBSETS = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: shop, namespace: default }
spec:
  host: shop.soak
  subsets:
    - { name: v1, labels: { version: v1 } }
    - { name: v2, labels: { version: v2 } }
    - { name: v3, labels: { version: v3 } }
`;

const deny = (name: string, path: string): string => `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: ${name}, namespace: istio-system }
spec:
  selector: { matchLabels: { istio: ingressgateway } }
  action: DENY
  rules: [{ to: [{ operation: { paths: ['${path}*'] } }] }]
`;

const entry = (versions: readonly Version[]): string => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: shop, namespace: default }
spec:
  hosts: [shop.soak]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{ number: 80, name: http, protocol: HTTP }]
  endpoints:
${versions.map((v) => `    - { address: ${v.host}, ports: { http: ${v.port} }, labels: { version: ${v.name} } }`).join('\n')}
`;

const to = (subset: string, weight: number): string =>
  `        - { destination: { host: shop.soak, subset: ${subset} }, weight: ${weight} }`;

function routes(revision: number, weights: readonly number[]): string {
  return `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: shop, namespace: default }
spec:
  hosts: [shop.soak]
  gateways: [soak]
  http:
    - name: jason
      match: [{ headers: { end-user: { exact: jason } } }]
      route: [{ destination: { host: shop.soak, subset: v2 } }]
    - name: tunnels
      match: [{ uri: { prefix: /ws } }]
      route:
${to('v1', 50)}
${to('v2', 50)}
    - name: retried
      match: [{ uri: { prefix: /retry } }]
      timeout: 15s
      retries: { attempts: 2, retryOn: 'reset,connect-failure,gateway-error' }
      route:
${to('v1', 50)}
${to('v2', 50)}
    - name: hanging
      match: [{ uri: { prefix: /hang } }]
      timeout: ${HANG_LIMIT / 1000}s
      route:
${weights.map((w, i) => to(`v${i + 1}`, w)).join('\n')}
    - name: default
      timeout: 15s
      headers: { request: { set: { x-soak: 'yes' }, remove: [x-secret] }, response: { set: { x-revision: '${revision}' } } }
      route:
${weights.map((w, i) => to(`v${i + 1}`, w)).join('\n')}
`;
}

const WEIGHTS = [
  [40, 30, 30],
  [80, 10, 10],
  [0, 50, 50],
  [34, 33, 33],
  [50, 50, 0],
] as const;

export class Configuration {
  readonly dir: string;
  revision = 0;
  readonly #versions: readonly Version[];

  constructor(dir: string, versions: readonly Version[]) {
    this.dir = dir;
    this.#versions = versions;
    mkdirSync(dir, { recursive: true });
    this.#write('base.yaml', [GATEWAY, SUBSETS, deny('never', '/denied')].join('---'));
    this.change();
  }

  /** The next revision: other weights, /toggle denied or not, endpoints in another order. */
  change(): void {
    const n = ++this.revision;
    const endpoints = n % 2 === 0 ? this.#versions : this.#versions.toReversed();
    this.#write('shop.yaml', [entry(endpoints), routes(n, WEIGHTS[n % WEIGHTS.length]!)].join('---'));
    if (n % 3 === 0) this.#write('toggle.yaml', deny('toggle', '/toggle'));
    else rmSync(join(this.dir, 'toggle.yaml'), { force: true });
  }

  /** Whole or not at all, as a reader sees it. */
  #write(name: string, text: string): void {
    const temporary = join(this.dir, `.${name}`);
    writeFileSync(temporary, text);
    renameSync(temporary, join(this.dir, name));
  }
}
