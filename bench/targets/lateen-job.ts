/** A job in Istio's words: resources for a gateway, or for a sidecar's outbound side. JSON, which is YAML too. */
import type { Place } from './candidate.ts';
import type { Job, JobMatch } from './job.ts';

const NETWORKING = 'networking.istio.io/v1';

/** Documents for one file. Destination of all routes is one ServiceEntry at `origin`. */
export function lateenJob(job: Job, origin: Place): string {
  const rules = job.opaque ? [RELAY] : virtualServices(job);
  return [gateway(job), serviceEntry(job, origin), ...destinationRules(job), ...rules, ...policies(job)]
    .map((resource) => JSON.stringify(resource))
    .join('\n---\n');
}

const protocolOf = ({ opaque }: Job): string => (opaque ? 'TCP' : 'HTTP');

const gateway = (job: Job): object => ({
  apiVersion: NETWORKING,
  kind: 'Gateway',
  metadata: { name: 'bench', namespace: 'default' },
  spec: {
    selector: { istio: 'ingressgateway' },
    servers: [{ port: { number: 80, name: 'in', protocol: protocolOf(job) }, hosts: ['*'] }],
  },
});

const RELAY = {
  apiVersion: NETWORKING,
  kind: 'VirtualService',
  metadata: { name: 'relay', namespace: 'default' },
  spec: {
    hosts: ['*'],
    gateways: ['bench'],
    tcp: [{ route: [{ destination: { host: 'origin.bench', port: { number: 80 } } }] }],
  },
};

function serviceEntry(job: Job, origin: Place): object {
  const endpoint = (version: string): object => ({
    address: origin.host,
    ports: { http: origin.port },
    labels: { version },
  });
  return {
    apiVersion: NETWORKING,
    kind: 'ServiceEntry',
    metadata: { name: 'origin', namespace: 'default' },
    spec: {
      // A sidecar serves hosts that exist; a gateway's VirtualServices make their own. (Istio allows 256 hosts in one ServiceEntry.)
      hosts: ['origin.bench', ...(job.hosts.length === 1 && !job.opaque ? job.hosts.map(({ name }) => name) : [])],
      location: 'MESH_INTERNAL',
      resolution: 'STATIC',
      ports: [{ number: 80, name: 'http', protocol: protocolOf(job) }],
      endpoints: job.weights ? [endpoint('v1'), endpoint('v3')] : [endpoint('v1')],
    },
  };
}

function destinationRules(job: Job): object[] {
  if (!job.weights) return [];
  const subsets = ['v1', 'v3'].map((version) => ({ name: version, labels: { version } }));
  return [
    {
      apiVersion: NETWORKING,
      kind: 'DestinationRule',
      metadata: { name: 'origin', namespace: 'default' },
      spec: { host: 'origin.bench', subsets },
    },
  ];
}

function virtualServices(job: Job): object[] {
  const to = (subset?: string): object => ({
    host: 'origin.bench',
    port: { number: 80 },
    ...(subset === undefined ? {} : { subset }),
  });
  const route = job.weights
    ? [
        { destination: to('v1'), weight: 90 },
        { destination: to('v3'), weight: 10 },
      ]
    : [{ destination: to() }];
  const headers = {
    request: { set: { 'x-bench': 'yes' }, remove: ['x-secret'] },
    response: { set: { 'x-served-by': 'mesh' } },
  };
  return job.hosts.map(({ name, routes }) => ({
    apiVersion: NETWORKING,
    kind: 'VirtualService',
    metadata: { name: name.replaceAll('.', '-'), namespace: 'default' },
    spec: {
      hosts: [name],
      gateways: ['bench', 'mesh'],
      http: routes.map((each) => ({
        name: each.name,
        ...(Object.keys(each.match).length === 0 ? {} : { match: [matchOf(each.match)] }),
        ...(job.headers ? { headers } : {}),
        route,
      })),
    },
  }));
}

function matchOf({ path, header }: JobMatch): object {
  return {
    ...(path === undefined ? {} : { uri: { [path.kind]: path.value } }),
    ...(header === undefined ? {} : { headers: { [header.name]: { exact: header.value } } }),
  };
}

/** In the root namespace: for every workload, gateway or sidecar. */
function policies(job: Job): object[] {
  if (!job.authz) return [];
  const rules = [{ to: [{ operation: { paths: ['/admin*'], methods: ['DELETE'] } }] }];
  return [
    {
      apiVersion: 'security.istio.io/v1',
      kind: 'AuthorizationPolicy',
      metadata: { name: 'deny-admin', namespace: 'istio-system' },
      spec: { action: 'DENY', rules },
    },
  ];
}
