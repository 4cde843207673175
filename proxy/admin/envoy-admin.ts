/** The paths of the admin port, as Envoy has them: reads are GET, what changes something is POST and nothing else. */
import { clusters } from './clusters.ts';
import { configDump } from './config-dump.ts';
import { LOG_LEVELS, type AdminContext, type LogLevel } from './context.ts';
import { json, text, type AdminRoute, type Answer, type Ask } from './http-service.ts';
import { prometheus, stats } from './stats.ts';

export function envoyRoutes(context: AdminContext): ReadonlyMap<string, AdminRoute> {
  const get = (help: string, handle: AdminRoute['handle']): AdminRoute => ({ method: 'GET', help, handle });
  const post = (help: string, handle: AdminRoute['handle']): AdminRoute => ({ method: 'POST', help, handle });
  const done = (act: () => void): Answer => {
    act();
    return text('OK\n');
  };
  const routes: ReadonlyMap<string, AdminRoute> = new Map<string, AdminRoute>([
    ['/', get('this list, as a page', () => index(routes))],
    ['/help', get('this list', () => help(routes))],
    ['/egress', get('what left the mesh, or was kept from it', () => egress(context))],
    ['/clusters', get('endpoints and their counters (?format=json)', (ask) => clusters(context, ask))],
    ['/config_dump', get('the configuration in force (?resource=listeners)', (ask) => configDump(context, ask))],
    ['/listeners', get('listeners and their addresses (?format=json)', (ask) => listeners(context, ask))],
    ['/stats', get('counters (?filter=RE2, ?usedonly, ?format=json|prometheus)', (ask) => stats(context, ask))],
    ['/stats/prometheus', get('all metrics as Prometheus text', (ask) => prometheus(context, ask))],
    ['/ready', get('200 LIVE when the proxy serves, else 503 and why', () => ready(context))],
    ['/server_info', get('version, state, uptime, node', () => serverInfo(context))],
    ['/memory', get('memory in use, bytes', memory)],
    ['/logging', post('show or set the log level (?level=debug)', (ask) => logging(context, ask))],
    [
      '/drain_listeners',
      post('stop accepting connections (?inboundonly)', ({ query }) =>
        done(() => context.drain(query.has('inboundonly'))),
      ),
    ],
    ['/healthcheck/fail', post('fail health checks', () => done(() => context.failHealth(true)))],
    ['/healthcheck/ok', post('stop failing health checks', () => done(() => context.failHealth(false)))],
    ['/reopen_logs', post('go on in new access log files', () => done(() => context.reopenLogs()))],
    ['/quitquitquit', post('drain and end', () => done(() => context.quit()))],
  ]);
  return routes;
}

/** Of 15021 and of `/ready`: 200 when the proxy serves, 503 and why it does not. */
export function ready(context: AdminContext): Answer {
  const reasons = context.notReady();
  const state = context.state();
  if (reasons.length === 0 && state === 'LIVE') return text('LIVE\n');
  return text([state === 'LIVE' ? 'INITIALIZING' : state, ...reasons, ''].join('\n'), 503);
}

function help(routes: ReadonlyMap<string, AdminRoute>): Answer {
  return text([...routes].map(([path, { method, help }]) => `  ${path} (${method}): ${help}\n`).join(''));
}

function index(routes: ReadonlyMap<string, AdminRoute>): Answer {
  const rows = [...routes].map(([path, { method, help }]) => {
    const name = method === 'GET' ? `<a href="${path.slice(1)}">${path}</a>` : `${path} (POST)`;
    return `<tr><td>${name}</td><td>${help}</td></tr>`;
  });
  const body = `<!doctype html><title>lateen admin</title><table>${rows.join('')}</table>\n`;
  return { status: 200, body, type: 'text/html; charset=UTF-8' };
}

function listeners(context: AdminContext, { query }: Ask): Answer {
  const bound = context.snapshot()?.listeners ?? [];
  if (query.get('format') === 'json') {
    return json({
      listener_statuses: bound.map(({ name, address, port }) => ({
        name,
        local_address: { socket_address: { address, port_value: port } },
      })),
    });
  }
  return text(bound.map(({ name, address, port }) => `${name}::${address}:${port}\n`).join(''));
}

/** No path of Envoy's. Times as ISO 8601. */
async function egress(context: AdminContext): Promise<Answer> {
  const rows = await context.egress();
  const iso = (ms: number): string => new Date(ms).toISOString();
  return json({
    egress: rows.map((row) => ({ ...row, firstSeen: iso(row.firstSeen), lastSeen: iso(row.lastSeen) })),
  });
}

function serverInfo(context: AdminContext): Answer {
  const snapshot = context.snapshot();
  const uptime = `${Math.floor((Date.now() - context.startedAt) / 1000)}s`;
  return json({
    version: `lateen/${context.version}/node-${process.versions.node}`,
    state: context.state(),
    uptime_current_epoch: uptime,
    uptime_all_epochs: uptime,
    config_version: snapshot?.version ?? null,
    node: snapshot?.node ?? null,
  });
}

/** Envoy's fields, as strings like its own. */
function memory(): Answer {
  const { rss, heapTotal, heapUsed, external } = process.memoryUsage();
  return json({
    allocated: `${heapUsed + external}`,
    heap_size: `${heapTotal}`,
    total_physical_bytes: `${rss}`,
  });
}

function logging(context: AdminContext, { query }: Ask): Answer {
  const level = query.get('level');
  if (level !== null) {
    // Envoy's names for three of them.
    const known = { warning: 'warn', critical: 'fatal', off: 'silent' }[level] ?? level;
    if (!isLevel(known)) return text(`level: expected one of ${LOG_LEVELS.join(', ')}\n`, 400);
    context.setLogLevel(known);
  }
  return text(`active loggers:\n  lateen: ${context.logLevel()}\n`);
}

const isLevel = (level: string): level is LogLevel => (LOG_LEVELS as readonly string[]).includes(level);
