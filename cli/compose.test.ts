import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { composeCommands } from '../test/kit/docker.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const BOOKINFO = 'config/bookinfo/bookinfo.yaml';
const dir = mkdtempSync(join(tmpdir(), 'lateen-compose-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

type Run = { readonly status: number | null; readonly stdout: string; readonly stderr: string };

function compose(args: readonly string[], input = ''): Run {
  const argv = [join(ROOT, 'cli/main.ts'), 'compose', ...args];
  return spawnSync(process.execPath, argv, { cwd: ROOT, input, encoding: 'utf8', timeout: 20_000 });
}

const servicesOf = (text: string): string[] =>
  Object.keys((parse(text, { merge: true }) as { services: object }).services);

const SHOP = `apiVersion: v1
kind: Service
metadata: { name: shop }
spec: { selector: { app: shop }, ports: [{ port: 80 }] }
---
apiVersion: batch/v1
kind: Job
metadata: { name: once }
spec: { template: { spec: { restartPolicy: Never, containers: [{ name: once, image: once }] } } }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: shop }
spec:
  replicas: 2
  selector: { matchLabels: { app: shop } }
  template:
    metadata: { labels: { app: shop } }
    spec:
      initContainers: [{ name: fill, image: fill, volumeMounts: [{ name: data, mountPath: /data }] }]
      containers:
        - name: shop
          image: example.com/shop:1
          ports: [{ containerPort: 80 }]
          command: [shop, "$HOME", "yes"]
          env:
            - { name: PRICE, value: "$5 \${X}" }
            - { name: TOKEN, valueFrom: { secretKeyRef: { name: login, key: token } } }
            - { name: MAYBE, valueFrom: { secretKeyRef: { name: login, key: more, optional: true } } }
          resources: { limits: { cpu: 250m, memory: 64Mi } }
          volumeMounts: [{ name: data, mountPath: /data }, { name: cache, mountPath: /cache }]
      volumes: [{ name: data, emptyDir: {} }, { name: cache, emptyDir: { sizeLimit: 1Mi } }]
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: bare }
spec:
  selector: { matchLabels: { app: bare } }
  template:
    metadata: { labels: { app: bare, sidecar.istio.io/inject: "false" } }
    spec: { containers: [{ name: bare, image: lateen/bookinfo-ratings-v1 }] }
`;

describe('lateen compose', () => {
  test('gives the pods that docker-compose.yml has not', () => {
    const { status, stdout, stderr } = compose(['-f', BOOKINFO, '--scale', 'reviews-v3=3', '--scale', 'reviews-v1=0']);
    expect(status).toBe(0);
    const pods = ['reviews-v3-2', 'reviews-v3-3'];
    expect(servicesOf(stdout)).toEqual(pods.flatMap((pod) => [`${pod}-pod`, pod, `${pod}-sidecar`]));
    expect(stdout).toContain(`#   lateen compose -f ${BOOKINFO} --scale reviews-v3=3 --scale reviews-v1=0\n`);
    expect(stderr).toContain(
      'left out, as docker-compose.yml has them: details-v1, ratings-v1, reviews-v2, reviews-v3,',
    );
    expect(stderr).toContain(
      'for the control API, with kubectl apply or lateen apply: Service details, ServiceAccount',
    );
  });

  test('gives as many pods as the Deployment has, and says what is not its business', () => {
    const { status, stdout, stderr } = compose(['-f', '-'], SHOP);
    expect([status, stdout.match(/^ {2}shop\S*-sidecar:/gm)]).toEqual([0, ['  shop-sidecar:', '  shop-2-sidecar:']]);
    expect(stderr).toContain('not started by docker compose: Job once');
    expect(stderr).toContain('with kubectl apply or lateen apply: Service shop\n');
    expect(stderr).toContain('but http://NAME.pod:PORT: bare');
    expect(stderr).toContain('set LOGIN_TOKEN for docker compose');
    expect(stdout).toContain('#   LOGIN_TOKEN: key token of Secret default/login\n');
    expect(compose(['-f', '-'], SHOP).stdout).toBe(stdout);
    expect(servicesOf(compose(['-f', '-', '--only', 'bare'], SHOP).stdout)).toEqual(['bare']);
  });

  const deployment = (name: string, spec = 'containers: [{ name: a, image: a }]', replicas = 1): string => `
apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name} }
spec: { replicas: ${replicas}, selector: { matchLabels: { app: a } }, template: { metadata: { labels: { app: a } }, spec: { ${spec} } } }
---`;

  test.each([
    ['every pod is there already', ['-f', BOOKINFO], '', 2, 'no pod is left to print'],
    [
      'a Deployment that is none of them',
      ['-f', BOOKINFO, '--scale', 'reviews-v33=2'],
      '',
      2,
      'Did you mean reviews-v3?',
    ],
    ['no Deployment', ['-f', 'config/bookinfo/bookinfo-gateway.yaml'], '', 1, 'expected a Deployment'],
    ['no number', ['-f', BOOKINFO, '--scale', 'reviews-v3'], '', 1, 'Expected DEPLOYMENT=PODS'],
    ['too many pods', ['-f', BOOKINFO, '--scale', 'reviews-v3=101'], '', 1, 'Expected at most 100 pods'],
    ['too many replicas', ['-f', '-'], deployment('a', undefined, 5000), 1, 'more than 100 pods are not printed'],
    ['no such compose file', ['-f', BOOKINFO, '--beside', 'nowhere.yml'], '', 2, 'nowhere.yml is not there'],
    ['no such images', ['-f', BOOKINFO, '--images', 'nowhere.yml'], '', 2, 'nowhere.yml'],
    ['a file that is none', ['-f', BOOKINFO, '--beside', 'package.json'], '', 1, 'services: expected a mapping'],
    ['a name that something else has', ['-f', '-'], deployment('mysql'), 1, 'would need a second service mysql'],
    [
      'pods of one name',
      ['-f', '-'],
      deployment('a', undefined, 2) + deployment('a-2'),
      1,
      'would need a second service a-2-pod',
    ],
    [
      'an error of several pods once',
      ['-f', '-'],
      deployment('a', 'securityContext: { runAsUser: 1337 }, containers: [{ name: a, image: a }]', 3),
      1,
      'securityContext.runAsUser: expected another id',
    ],
  ] as const)('%s: says so', (_, args, input, status, message) => {
    const run = compose(args, input);
    expect([run.stdout, run.status]).toEqual(['', status]);
    expect(run.stderr.split(message)).toHaveLength(2);
  });
});

const commands = composeCommands();
const why = commands.length > 0 ? null : 'neither `docker compose` nor docker-compose is installed';
test.runIf(process.env['LATEEN_REQUIRE_TOOLS'] === '1')('there is a docker compose where it is required', () =>
  expect(why).toBeNull(),
);
describe.skipIf(why !== null)(`for docker compose${why === null ? '' : ` (left out: ${why})`}`, () => {
  test.each(commands.map((command) => [command.join(' '), command] as const))('%s takes it', (_, command) => {
    const file = join(dir, 'mine.yml');
    writeFileSync(join(dir, 'mine.yaml'), SHOP);
    const { stdout } = compose(['-f', BOOKINFO, '-f', join(dir, 'mine.yaml'), '--scale', 'reviews-v3=2']);
    writeFileSync(file, stdout);
    const [program = '', ...words] = command;
    const config = (env: Readonly<Record<string, string>>): Run =>
      spawnSync(program, [...words, '-f', 'docker-compose.yml', '-f', file, 'config'], {
        cwd: ROOT,
        env: { ...process.env, LOGIN_TOKEN: undefined, ...env },
        encoding: 'utf8',
        timeout: 20_000,
      });
    const { status, stdout: shown, stderr } = config({ LOGIN_TOKEN: 'a:b' });
    expect([status, stderr]).toEqual([0, '']);
    const { services } = parse(shown) as { services: Record<string, Record<string, unknown>> };
    expect(Object.keys(services)).toEqual(expect.arrayContaining(['reviews-v3-2', 'shop-2-sidecar', 'bare']));
    // What is said in the end doubles `$` for compose once more.
    expect(services['shop']!['environment']).toMatchObject({ PRICE: '$$5 $${X}', TOKEN: 'a:b' });
    expect(services['shop']!['entrypoint']).toEqual(['shop', '$$HOME', 'yes']);
    expect(services['reviews-v3-2']!['environment']).toMatchObject({ STAR_COLOR: 'red', MYSQL_DB_HOST: '' });
    const without = config({});
    expect(without.status).not.toBe(0);
    expect(without.stderr).toContain('key token of Secret default/login');
  });
});
