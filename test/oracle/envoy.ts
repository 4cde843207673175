/** The reference: a real Envoy with Istio's settings, one virtual host a scenario, its access log in Istio's JSON fields. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { findEnvoy } from '../../bench/targets/binary.ts';
import type { Proxy } from './proxy.ts';
import { fill, type Places, type Scenario } from './scenario.ts';

const TYPE = 'type.googleapis.com/envoy.extensions';

/** Istio's JSON access log, as far as the comparison reads it. */
const LOG_FORMAT = {
  method: '%REQ(:METHOD)%',
  path: '%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%',
  authority: '%REQ(:AUTHORITY)%',
  protocol: '%PROTOCOL%',
  response_code: '%RESPONSE_CODE%',
  response_flags: '%RESPONSE_FLAGS%',
  response_code_details: '%RESPONSE_CODE_DETAILS%',
  connection_termination_details: '%CONNECTION_TERMINATION_DETAILS%',
  upstream_transport_failure_reason: '%UPSTREAM_TRANSPORT_FAILURE_REASON%',
  bytes_received: '%BYTES_RECEIVED%',
  bytes_sent: '%BYTES_SENT%',
  upstream_cluster: '%UPSTREAM_CLUSTER_RAW%',
  route_name: '%ROUTE_NAME%',
  downstream_remote_address: '%DOWNSTREAM_REMOTE_ADDRESS%',
};

/** Starts Envoy on `address` with port `outbound` for the routes of the scenarios and `inbound` for those with RBAC; null when it is not installed. */
export async function startEnvoy(
  address: string,
  scenarios: readonly Scenario[],
  places: Places,
): Promise<Proxy | null> {
  return runEnvoy(address, (log) => bootstrap(address, scenarios, places, log));
}

/** Starts Envoy with what `config` makes of the path of its access log; its ports are those of its listeners, by name. */
export async function runEnvoy(
  address: string,
  config: (log: string) => object,
): Promise<(Proxy & { readonly port: (listener: string) => number }) | null> {
  const binary = findEnvoy();
  if (binary === null) return null;
  const dir = mkdtempSync(join(tmpdir(), 'lateen-oracle-envoy-'));
  const files = { config: join(dir, 'envoy.json'), log: join(dir, 'access.log'), admin: join(dir, 'admin') };
  writeFileSync(files.log, '');
  writeFileSync(files.config, JSON.stringify(config(files.log)));
  const child = spawn(
    binary,
    [
      '-c',
      files.config,
      '--concurrency',
      '1',
      '--disable-hot-restart',
      '--log-level',
      'warning',
      '--file-flush-interval-msec',
      '10',
      '--admin-address-path',
      files.admin,
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let complaints = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaints = (complaints + text).slice(-4000);
  });
  try {
    const admin = await adminAddress(child, files.admin, () => complaints);
    const ports = await listenerPorts(child, admin, () => complaints);
    return {
      name: 'envoy',
      address,
      port: (listener) => ports.get(listener)!,
      log: () => logLines(files.log),
      [Symbol.asyncDispose]: () => stop(child, dir),
    };
  } catch (cause) {
    await stop(child, dir);
    throw cause;
  }
}

function logLines(file: string): Record<string, unknown>[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.endsWith('}'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

async function stop(child: ChildProcess, dir: string): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }
  rmSync(dir, { recursive: true, force: true });
}

/** Waits for Envoy to write where its admin interface is (port 0 in the config). */
async function adminAddress(child: ChildProcess, file: string, complaints: () => string): Promise<string> {
  return until(child, complaints, async () => {
    try {
      const text = readFileSync(file, 'utf8').trim();
      return text === '' ? null : text;
    } catch {
      return null;
    }
  });
}

async function listenerPorts(
  child: ChildProcess,
  admin: string,
  complaints: () => string,
): Promise<Map<string, number>> {
  return until(child, complaints, async () => {
    const ready = await fetch(`http://${admin}/ready`).catch(() => null);
    if (ready?.status !== 200) return null;
    const listeners = (await (await fetch(`http://${admin}/listeners?format=json`)).json()) as {
      listener_statuses: { name: string; local_address: { socket_address: { port_value: number } } }[];
    };
    return new Map(listeners.listener_statuses.map((l) => [l.name, l.local_address.socket_address.port_value]));
  });
}

/** Polls every 20 ms for at most 15 s; fails at once, with Envoy's own words, when it exits. */
async function until<T>(child: ChildProcess, complaints: () => string, look: () => Promise<T | null>): Promise<T> {
  for (let tries = 0; tries < 750; tries++) {
    if (child.exitCode !== null) throw new Error(`Envoy left with code ${child.exitCode}: ${complaints()}`);
    const found = await look();
    if (found !== null) return found;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`Envoy was not ready in 15 s: ${complaints()}`);
}

function bootstrap(address: string, scenarios: readonly Scenario[], places: Places, log: string): object {
  return {
    admin: { address: socket(address, 0) },
    static_resources: {
      listeners: [
        listener(
          'outbound',
          address,
          scenarios.filter((s) => s.side === 'outbound'),
          places,
          log,
        ),
        listener(
          'inbound',
          address,
          scenarios.filter((s) => s.side === 'inbound'),
          places,
          log,
        ),
      ],
      clusters: [
        cluster('origin', places.origin),
        cluster('other', places.other),
        cluster('refused', places.refused),
        cluster('blackhole', places.blackhole, '0.3s'),
        cluster('empty', null),
      ],
    },
  };
}

const socket = (address: string, port: number): object => ({ socket_address: { address, port_value: port } });

function cluster(name: string, place: Places['origin'] | null, connectTimeout = '10s'): object {
  const endpoints = place === null ? [] : [{ endpoint: { address: socket(place.host, place.port) } }];
  return {
    name,
    connect_timeout: connectTimeout,
    type: 'STATIC',
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: endpoints }] },
  };
}

/** What Istio puts behind all hosts of a sidecar with `outboundTrafficPolicy: REGISTRY_ONLY`. */
const BLOCK_ALL = {
  name: 'block_all',
  domains: ['*'],
  routes: [{ name: 'block_all', match: { prefix: '/' }, direct_response: { status: 502 } }],
};

/** The connection manager as pilot/pkg/networking/core/listener.go makes it for a sidecar. */
function listener(name: string, address: string, scenarios: readonly Scenario[], places: Places, log: string): object {
  const manager = {
    '@type': `${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: name,
    codec_type: 'AUTO',
    server_name: name === 'inbound' ? 'istio-envoy' : 'envoy',
    use_remote_address: false,
    generate_request_id: true,
    normalize_path: true,
    path_with_escaped_slashes_action: 'KEEP_UNCHANGED',
    proxy_100_continue: true,
    stream_idle_timeout: '0s',
    upgrade_configs: [{ upgrade_type: 'websocket' }],
    access_log: [
      {
        name: 'envoy.access_loggers.file',
        typed_config: {
          '@type': `${TYPE}.access_loggers.file.v3.FileAccessLog`,
          path: log,
          log_format: { json_format: LOG_FORMAT },
        },
      },
    ],
    http_filters: httpFilters(name),
    route_config: {
      ignore_port_in_host_matching: true,
      validate_clusters: false,
      virtual_hosts: [
        ...scenarios.map((scenario) => ({
          name: scenario.host,
          domains: [scenario.host],
          include_request_attempt_count: true,
          ...(parse(fill(scenario.envoy, places)) as object),
        })),
        ...(name === 'outbound' ? [BLOCK_ALL] : []),
      ],
    },
  };
  return {
    name,
    address: socket(address, 0),
    filter_chains: [{ filters: [{ name: 'envoy.filters.network.http_connection_manager', typed_config: manager }] }],
  };
}

/** Istio's order: authorization on the inbound side, then fault and CORS. */
function httpFilters(side: string): object[] {
  const filter = (short: string, type: string): object => ({
    name: `envoy.filters.http.${short}`,
    typed_config: { '@type': `${TYPE}.filters.http.${short}.v3.${type}` },
  });
  const after = [filter('fault', 'HTTPFault'), filter('cors', 'Cors'), filter('router', 'Router')];
  return side === 'inbound' ? [filter('rbac', 'RBAC'), ...after] : after;
}
