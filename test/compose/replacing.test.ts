/** Pods come, go and are replaced in the mesh of docker-compose.yml while it is under load: nobody outside notices. */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startComposeMesh, type ComposeMesh } from '../kit/compose-mesh.ts';
import { docker, dockerReason } from '../kit/docker.ts';
import { KUBECTL } from '../kit/kubectl.ts';
import { run } from '../kit/steer.ts';
import { until } from '../kit/traffic-scenarios.ts';

const why = KUBECTL === null ? 'kubectl is not installed' : dockerReason();

type Report = {
  readonly requests: number;
  readonly failed: {
    readonly errors: number;
    readonly timeouts: number;
    readonly statuses: object;
    readonly incomplete: number;
  };
  readonly proxies: readonly { readonly pod: string; readonly cpu: number; readonly memory: number }[];
};

describe.skipIf(why !== null)(`pods that are replaced${why === null ? '' : ` (left out: ${why})`}`, () => {
  let mesh: ComposeMesh;

  beforeAll(async () => {
    mesh = await startComposeMesh('lt-replacing');
  });
  afterAll(() => mesh?.[Symbol.asyncDispose]());

  test('lateen compose makes another replica, which gets its share of the requests', async () => {
    const made = await run('./lateen', ['compose', '-f', 'config/bookinfo/bookinfo.yaml', '--scale', 'reviews-v3=2']);
    expect(made.code, made.stderr).toBe(0);
    const file = join(mesh.dir, 'more.yml');
    await writeFile(file, made.stdout);
    await mesh.compose(['--file', file, 'up', '--detach', '--no-recreate']);
    const line = (): Promise<string> => mesh.kubectl('get', 'pods', '--no-headers', '-l', 'version=v3');
    await until(async () => (await line()).match(/2\/2/g)?.length === 2);
    await mesh.settled();
    await mesh.pages(8);
    for (const sidecar of ['reviews-v3-sidecar', 'reviews-v3-2-sidecar'])
      await until(async () => (await served(sidecar, file)) > 0);

    await using load = mesh.load();
    await mesh.compose([
      '--file',
      file,
      'rm',
      '--stop',
      '--force',
      'reviews-v3-2-sidecar',
      'reviews-v3-2',
      'reviews-v3-2-pod',
    ]);
    await until(async () => (await line()).trim().split('\n').length === 1);
    expect((await load.stop()).failed).toEqual([]);
  });

  test('a rolling replacement of reviews under load loses no request', async () => {
    const before = await Promise.all(REVIEWS.map((name) => mesh.project.container(name)));
    const report = await load('--rate', '20', '--connections', '4', '--roll', 'reviews');
    expect(report.failed).toEqual({ errors: 0, timeouts: 0, statuses: {}, incomplete: 0 });
    expect(report.requests).toBeGreaterThan(50);
    expect(report.proxies.map(({ pod }) => pod)).toEqual(
      expect.arrayContaining(['gateway', 'productpage-v1', 'ratings-v1']),
    );
    for (const { cpu, memory } of report.proxies) expect([cpu > 0, memory > 1_000_000]).toEqual([true, true]);
    const after = await Promise.all(REVIEWS.map((name) => mesh.project.container(name)));
    expect(after.filter((id) => before.includes(id))).toEqual([]);
    // A retry may hide it from the page: no caller inside got anything but 200 either, or went away itself when the load ended.
    const { proxies } = (await (await fetch(`${mesh.control}/lateen/v1/proxies`)).json()) as {
      proxies: readonly { readonly proxy: string }[];
    };
    for (const { proxy } of proxies) {
      const page = await fetch(`${mesh.control}/lateen/v1/proxies/${proxy}/admin/stats/prometheus`);
      const counted = (await page.text())
        .split('\n')
        .filter((line) => /^istio_requests_total\{.*reporter="source"/.test(line));
      expect(
        counted.filter((line) => !/response_code="(?:200|0)"/.test(line)),
        proxy,
      ).toEqual([]);
    }
  });

  test('a container that runs already gets a sidecar without being touched', async () => {
    const app = `${mesh.project.name}-legacy`;
    const network = `${mesh.project.name}_mesh`;
    const label = ['--label', `com.docker.compose.project=${mesh.project.name}`];
    const server = `require('node:http').createServer((q, r) => r.end('hello ' + q.headers.host)).listen(8080)`;
    try {
      await docker([
        'run',
        '-d',
        '--name',
        app,
        ...label,
        '--network',
        network,
        '--entrypoint',
        'node',
        'lateen',
        '-e',
        server,
      ]);
      const begun = (await inspect(app)).State.StartedAt;
      const inside = ['--network', `container:${app}`, '--cap-drop', 'ALL'];
      await docker([
        'run',
        '--rm',
        ...inside,
        '--user',
        '0',
        '--cap-add',
        'NET_ADMIN',
        '--cap-add',
        'NET_RAW',
        'lateen',
        'iptables',
        '--redirect-dns',
      ]);
      const sidecar = [
        'sidecar',
        '--control',
        'http://control:8001',
        '--join-token-file',
        '/var/lib/lateen/join/token',
        '--register',
        '--interception-mode',
        'REDIRECT',
        '--dns-capture',
        '--ip',
        'auto',
      ];
      const about = [
        '--workload',
        'legacy',
        '--labels',
        'app=legacy',
        '--app-port',
        '8080',
        '--app-probe',
        'tcp://127.0.0.1:8080',
      ];
      await docker([
        'run',
        '-d',
        '--name',
        `${app}-sidecar`,
        ...label,
        ...inside,
        '--user',
        '1337',
        '--read-only',
        '--volume',
        `${mesh.project.name}_join:/var/lib/lateen/join:ro`,
        'lateen',
        ...sidecar,
        ...about,
      ]);
      await mesh.tryKubectl(['apply', '-f', '-'], SERVICE);
      await until(async () => /^legacy +2\/2 +Running/m.test(await mesh.kubectl('get', 'pods', '--no-headers')));
      await mesh.settled();
      expect(await mesh.exec('ratings-v1', 'curl', '-sS', 'http://legacy/')).toBe('hello legacy');
      const asks = `fetch('http://details:9080/details/0').then(async (r) => console.log(r.status, r.headers.get('server')))`;
      expect(await docker(['exec', app, 'node', '-e', asks])).toBe('200 envoy\n');
      expect((await inspect(app)).State.StartedAt).toBe(begun);
    } finally {
      await docker(['rm', '--force', `${app}-sidecar`, app]);
    }
  });

  /** Requests in the access log of a sidecar of the second file. */
  async function served(service: string, file: string): Promise<number> {
    const log = await mesh.compose(['--file', file, 'logs', '--no-color', '--no-log-prefix', service]);
    return log.split('\n').filter((text) => text.includes('"/reviews/0"')).length;
  }

  function load(...args: readonly string[]): Promise<Report> {
    const where = ['--url', `${mesh.gateway}/productpage`, '--control', mesh.control, '--json'];
    return new Promise((resolve, reject) => {
      const env = { ...process.env, ...mesh.environment };
      execFile(process.execPath, ['bench/mesh/main.ts', ...where, ...args], { env }, (error, stdout, stderr) => {
        if (stdout === '') reject(new Error(`npm run load: ${error?.message} ${stderr}`));
        else resolve(JSON.parse(stdout) as Report);
      });
    });
  }
});

const REVIEWS = ['reviews-v1', 'reviews-v2', 'reviews-v3'].flatMap((pod) => [pod, `${pod}-pod`, `${pod}-sidecar`]);

const SERVICE = `
apiVersion: v1
kind: Service
metadata: { name: legacy }
spec:
  selector: { app: legacy }
  ports: [{ name: http, port: 80, targetPort: 8080 }]
`;

const inspect = async (name: string): Promise<{ readonly State: { readonly StartedAt: string } }> =>
  (JSON.parse(await docker(['inspect', name])) as [{ State: { StartedAt: string } }])[0];
