/** A real Envoy beside us, with Istio's settings of a connection manager, which says in the body why it refuses. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findEnvoy } from '../../bench/targets/binary.ts';

export type EnvoyProcess = AsyncDisposable & { readonly port: number };

const TYPE = 'type.googleapis.com/envoy.extensions';
const HOST = '127.0.0.1';

/** Starts Envoy before the origin on `originPort`; null when it is not installed. */
export async function startEnvoyProcess(originPort: number): Promise<EnvoyProcess | null> {
  const binary = findEnvoy();
  if (binary === null) return null;
  const dir = mkdtempSync(join(tmpdir(), 'lateen-fuzz-envoy-'));
  const config = join(dir, 'envoy.json');
  const admin = join(dir, 'admin');
  writeFileSync(config, JSON.stringify(bootstrap(originPort)));
  const args = ['-c', config, '--concurrency', '1', '--disable-hot-restart', '--log-level', 'off'];
  const child = spawn(binary, [...args, '--admin-address-path', admin], { stdio: 'ignore', detached: true });
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    }
    rmSync(dir, { recursive: true, force: true });
  };
  const onExit = (): void => void child.kill('SIGKILL');
  process.once('exit', onExit);
  for (let tries = 0; tries < 400; tries++) {
    const port = existsSync(admin) ? await portOf(readFileSync(admin, 'utf8').trim()) : null;
    if (port !== null) return { port, [Symbol.asyncDispose]: stop };
    if (child.exitCode !== null) break;
    await new Promise((done) => setTimeout(done, 50));
  }
  await stop();
  throw new Error('Envoy did not come up');
}

async function portOf(admin: string): Promise<number | null> {
  const ready = await fetch(`http://${admin}/ready`).catch(() => null);
  if (ready?.status !== 200) return null;
  const page = (await (await fetch(`http://${admin}/listeners?format=json`)).json()) as {
    listener_statuses: { local_address: { socket_address: { port_value: number } } }[];
  };
  return page.listener_statuses[0]!.local_address.socket_address.port_value;
}

const socket = (port: number): object => ({ socket_address: { address: HOST, port_value: port } });

function bootstrap(originPort: number): object {
  const manager = {
    '@type': `${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'fuzz',
    codec_type: 'HTTP1',
    // Off in Istio; on here, so that requests of HTTP/1.0 are compared too.
    http_protocol_options: { accept_http_10: true, default_host_for_http_10: 'old' },
    generate_request_id: false,
    normalize_path: true,
    path_with_escaped_slashes_action: 'KEEP_UNCHANGED',
    proxy_100_continue: true,
    stream_idle_timeout: '0s',
    upgrade_configs: [{ upgrade_type: 'websocket' }],
    local_reply_config: { body_format: { text_format_source: { inline_string: '%RESPONSE_CODE_DETAILS%' } } },
    http_filters: [
      { name: 'envoy.filters.http.router', typed_config: { '@type': `${TYPE}.filters.http.router.v3.Router` } },
    ],
    route_config: {
      virtual_hosts: [
        { name: 'all', domains: ['*'], routes: [{ match: { prefix: '' }, route: { cluster: 'origin' } }] },
      ],
    },
  };
  const endpoint = { endpoint: { address: socket(originPort) } };
  return {
    admin: { address: socket(0) },
    static_resources: {
      listeners: [
        {
          name: 'fuzz',
          address: socket(0),
          filter_chains: [
            { filters: [{ name: 'envoy.filters.network.http_connection_manager', typed_config: manager }] },
          ],
        },
      ],
      clusters: [
        {
          name: 'origin',
          type: 'STATIC',
          load_assignment: { cluster_name: 'origin', endpoints: [{ lb_endpoints: [endpoint] }] },
        },
      ],
    },
  };
}
