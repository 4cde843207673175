/** A real Prometheus finds a mesh by the control API, and every panel of every dashboard has something to show. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { DASHBOARDS } from '../../scripts/dashboards/catalogue.ts';
import type { Dashboard, Panel } from '../../scripts/dashboards/panel.ts';
import { KUBECTL } from '../kit/kubectl.ts';
import { startMesh, type Mesh } from '../kit/mesh.ts';
import { CONFIG, pause, PROMETHEUS, PROMTOOL, startPrometheus, type Prometheus } from '../kit/prometheus-on-mesh.ts';
import { startTraffic } from './prometheus-traffic.ts';

/** A rate needs two scrapes with traffic in between; a busy machine needs longer. */
const DEADLINE_MS = 25_000;

describe.skipIf(PROMTOOL === null)('promtool', () => {
  const promtool = (...args: string[]): string => execFileSync(PROMTOOL!, args, { encoding: 'utf8', cwd: CONFIG });

  test('finds nothing wrong with the configuration and the rules in it', () => {
    expect(promtool('check', 'config', 'prometheus.yml')).toContain('SUCCESS');
  });

  test('each alert fires where it should, and only there', () => {
    expect(promtool('test', 'rules', 'alerts.test.yml')).toContain('SUCCESS');
  });
});

test('each alert has a test in which it fires, and a paragraph that says what to do', () => {
  type Rules = { groups: { rules: { alert?: string }[] }[] };
  type Tests = { tests: { alert_rule_test: { alertname: string; exp_alerts: unknown[] }[] }[] };
  const read = (file: string): string => readFileSync(join(CONFIG, file), 'utf8');
  const alerts = (parse(read('alerts.yml')) as Rules).groups.flatMap((g) => g.rules.map((rule) => rule.alert!));
  const { tests } = parse(read('alerts.test.yml')) as Tests;
  const fired = tests.flatMap((t) => t.alert_rule_test.filter((a) => a.exp_alerts.length > 0).map((a) => a.alertname));
  expect([...new Set(fired)].sort()).toEqual([...alerts].sort());
  const docs = read('../../docs/dashboards.md');
  for (const alert of alerts) expect(docs, alert).toContain(`**${alert}**`);
});

describe.skipIf(PROMETHEUS === null || KUBECTL === null)('Prometheus on BookInfo', () => {
  const running = new AsyncDisposableStack();
  let mesh: Mesh;
  let prometheus: Prometheus;

  beforeAll(async () => {
    mesh = running.use(await startMesh());
    prometheus = running.use(await startPrometheus(mesh.control));
    running.use(await startTraffic(mesh));
  });
  afterAll(() => running.disposeAsync());

  test('every panel of every dashboard has something to show', async () => {
    let empty = DASHBOARDS.flatMap((dashboard) =>
      dashboard.rows.flatMap(({ panels }) => panels.flatMap((panel) => questions(dashboard, panel))),
    );
    const deadline = performance.now() + DEADLINE_MS;
    while (empty.length > 0 && performance.now() < deadline) {
      const values = new Map<Dashboard, readonly Assignment[]>();
      for (const dashboard of DASHBOARDS) values.set(dashboard, await assignments(prometheus, dashboard));
      const still: Question[] = [];
      for (const question of empty)
        if (!(await shows(prometheus, question.expr, values.get(question.dashboard)!))) still.push(question);
      empty = still;
      if (empty.length > 0) await pause(250);
    }
    expect(empty.map(({ name, expr }) => `${name}: ${expr}`)).toEqual([]);
  });

  test("Istio's own dashboards find their metrics, and the labels that they ask for", async () => {
    for (const [metric, labels] of Object.entries(ISTIO)) {
      const series = await prometheus.series(metric);
      expect(series.length, metric).toBeGreaterThan(0);
      for (const label of labels)
        expect(
          series.every((s) => label in s),
          `${metric}: ${label}`,
        ).toBe(true);
    }
  });

  test('every proxy is scraped, with the labels of its pod, and so is the control API', async () => {
    type Target = { labels: Record<string, string>; health: string };
    const targets = async (): Promise<readonly Target[]> =>
      ((await prometheus.ask('targets?state=active')) as { activeTargets: Target[] }).activeTargets;
    const names = (await mesh.kubectl('get', 'pods', '-A', '-o', 'jsonpath={.items[*].metadata.name}')).split(' ');
    const up = async (): Promise<Set<string>> =>
      new Set((await targets()).filter((t) => t.health === 'up').map(({ labels }) => labels['pod']!));
    await expect.poll(up, { timeout: DEADLINE_MS, interval: 250 }).toEqual(new Set([...names, 'istiod-0']));
    const proxies = (await targets()).map((t) => t.labels).filter(({ job }) => job === 'lateen-proxies');
    expect(proxies).toHaveLength(names.length);
    expect(proxies.find(({ workload }) => workload === 'reviews-v2')).toMatchObject({
      app: 'reviews',
      version: 'v2',
      namespace: 'default',
      role: 'sidecar',
      container: 'istio-proxy',
    });
  });

  test('latencies have exemplars, which lead to traces', async () => {
    type Found = { exemplars: { labels: Record<string, string> }[] }[];
    const query = 'istio_request_duration_milliseconds_bucket';
    const statuses = async (): Promise<Set<number>> => {
      const now = Date.now() / 1000;
      const found = (await prometheus.ask(`query_exemplars?query=${query}&start=${now - 60}&end=${now}`)) as Found;
      const ids = new Set(found.flatMap(({ exemplars }) => exemplars.map(({ labels }) => labels['trace_id']!)));
      const answers = [...ids].slice(0, 20).map((id) => fetch(`${mesh.control}/api/v2/trace/${id}`));
      return new Set((await Promise.all(answers)).map(({ status }) => status));
    };
    // Spans come a second later than what they tell of.
    await expect.poll(statuses, { timeout: DEADLINE_MS, interval: 250 }).toContain(200);
  });

  test('every rule can be evaluated', async () => {
    type Rules = { groups: { rules: { name: string; health: string; lastError?: string }[] }[] };
    const rules = async () => ((await prometheus.ask('rules')) as Rules).groups.flatMap((group) => group.rules);
    const unwell = async () => (await rules()).filter(({ health }) => health !== 'ok');
    await expect.poll(unwell, { timeout: DEADLINE_MS, interval: 250 }).toEqual([]);
    expect((await rules()).length).toBeGreaterThan(20);
  });
});

/** 0 here: nothing speaks mutual TLS. */
const ZERO: readonly string[] = ['Encrypted'];

type Question = { readonly dashboard: Dashboard; readonly name: string; readonly expr: string };
type Assignment = Readonly<Record<string, string>>;

function questions(dashboard: Dashboard, panel: Panel): Question[] {
  if (panel.mayBeEmpty !== undefined) return [];
  return panel.queries.map(({ expr, legend }) => ({
    dashboard,
    name: `${dashboard.title} / ${panel.title} / ${legend}`,
    // A zero in place of nothing would hide that a metric does not exist.
    expr: ZERO.includes(panel.title) ? expr : expr.replaceAll(' or vector(0)', ''),
  }));
}

/** Does it show a number for any value of the variables? */
async function shows(prometheus: Prometheus, expr: string, values: readonly Assignment[]): Promise<boolean> {
  const exprs = new Set(values.map((assignment) => filled(expr, assignment)));
  for (const each of exprs) if ((await prometheus.query(each)).some(({ value }) => Number.isFinite(value))) return true;
  return false;
}

/** Every choice that the dashboard's variables offer; those that may have any number of values have all. */
async function assignments(prometheus: Prometheus, { variables }: Dashboard): Promise<readonly Assignment[]> {
  let known: readonly Assignment[] = [{}];
  for (const variable of variables) {
    const next: Assignment[] = [];
    for (const assignment of known) {
      const values =
        variable.kind === 'choice'
          ? variable.values
          : await labelValues(prometheus, filled(variable.query, assignment));
      const chosen = variable.kind === 'query' && variable.all === true && values.length > 0 ? ['.*'] : values;
      for (const value of chosen) next.push({ ...assignment, [variable.name]: value });
    }
    known = next;
  }
  return known;
}

/** As Grafana reads it: `label_values(selector, label)`. */
async function labelValues(prometheus: Prometheus, query: string): Promise<readonly string[]> {
  const [, selector, label] = /^label_values\((.+), (\w+)\)$/.exec(query)!;
  return [...new Set((await prometheus.series(selector!)).map((series) => series[label!] ?? ''))].filter(
    (v) => v !== '',
  );
}

/** As Grafana fills it in. */
function filled(text: string, assignment: Assignment): string {
  const all: Assignment = { ...assignment, __rate_interval: '30s', __range: '5m' };
  return text.replace(/\$(\w+)/g, (_, name: string) => all[name] ?? `$${name}`);
}

const HTTP = [
  'reporter',
  'response_code',
  'connection_security_policy',
  'source_workload',
  'source_workload_namespace',
  'source_cluster',
  'destination_service',
  'destination_workload',
  'destination_workload_namespace',
  'destination_cluster',
  'destination_principal',
];
const TCP = HTTP.filter((label) => label !== 'response_code');

/** What Istio's mesh, service and workload dashboards ask for (istio/istio 86c9f01f, manifests/addons/dashboards). */
const ISTIO: Readonly<Record<string, readonly string[]>> = {
  istio_requests_total: HTTP,
  istio_request_duration_milliseconds_bucket: [...HTTP, 'le'],
  istio_request_bytes_bucket: [...HTTP, 'le'],
  istio_response_bytes_bucket: [...HTTP, 'le'],
  istio_request_bytes_sum: HTTP,
  istio_response_bytes_sum: HTTP,
  istio_tcp_sent_bytes_total: TCP,
  istio_tcp_received_bytes_total: TCP,
  istio_build: ['component', 'tag'],
  // Its performance dashboard, of the sidecars and of istiod.
  'container_cpu_usage_seconds_total{container="istio-proxy"}': ['namespace', 'pod'],
  'container_memory_working_set_bytes{container="istio-proxy"}': ['namespace', 'pod'],
  'process_cpu_seconds_total{app="istiod"}': [],
  'process_resident_memory_bytes{app="istiod"}': [],
  'process_open_fds{app="istiod"}': [],
};
