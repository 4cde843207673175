/** The stock kubectl against the control API: what its users type, and what they see. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openStore } from '#control-api/open-store.ts';
import type { PodRuntime } from '#control-api/pod-runtime.ts';
import { createControlApi, type ControlApi } from '#control-api/server.ts';
import { analyze } from '#proxy/compile/analyze.ts';
import { DEFAULT_MESH } from '#proxy/compile/defaults.ts';
import { KUBECTL, kubectlIn, type Kubectl } from '../kit/kubectl.ts';

/** Echoes its input; `fail` ends with code 7. */
const runtime: PodRuntime = {
  logs: (_namespace, pod, container) => Readable.from([`${pod} ${container} says hello\n`]),
  exec(_namespace, _pod, _container, [command = '', ...words]) {
    const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
    stderr.end(command === 'fail' ? 'it failed\n' : '');
    stdout.write(words.join(' '));
    stdin.pipe(stdout);
    const done = new Promise<number>((resolve) => void stdout.once('end', () => resolve(command === 'fail' ? 7 : 0)));
    return { stdin, stdout, stderr, done, kill: () => stdin.end() };
  },
};

describe.skipIf(KUBECTL === null)(
  KUBECTL === null ? 'kubectl (skipped: it is not installed)' : 'kubectl',
  { timeout: 60_000 },
  () => {
    let api: ControlApi;
    let home: string;
    let kubectl: Kubectl;
    beforeAll(() => {
      home = mkdtempSync(join(tmpdir(), 'lateen-kubectl-'));
      kubectl = kubectlIn(home, () => api.url);
    });
    afterAll(() => rmSync(home, { recursive: true, force: true }));
    beforeEach(async () => {
      const store = openStore({ dir: null });
      const options = { host: '127.0.0.1', port: 0, store, runtime, version: '0.0.0' };
      api = await createControlApi({
        ...options,
        ready: () => ({ ready: true, reasons: [] }),
        analyze: (set) => analyze(set, DEFAULT_MESH),
      });
    });
    afterEach(async () => {
      await api.close();
      api.store.close();
    });

    /** Its output; whatever goes wrong fails the test. */
    async function run(words: string, input = ''): Promise<string> {
      const { out, err, code } = await kubectl(words.split(' '), input);
      expect(code, `kubectl ${words}: ${err}`).toBe(0);
      return out;
    }
    const apply = (yaml: string, flags = ''): Promise<string> => run(`apply ${flags}-f -`, yaml);

    const vs = (name: string, subset = 'v1', version = 'v1alpha3'): string => `---
apiVersion: networking.istio.io/${version}
kind: VirtualService
metadata: { name: ${name}, labels: { app: ${name} } }
spec:
  hosts: [${name}]
  http: [{ route: [{ destination: { host: ${name}, subset: ${subset} } }] }]
`;
    const APP = `
apiVersion: v1
kind: Service
metadata: { name: reviews, labels: { app: reviews } }
spec: { ports: [{ port: 9080, name: http }], selector: { app: reviews } }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: reviews-v1, labels: { app: reviews } }
spec:
  selector: { matchLabels: { app: reviews, version: v1 } }
  template:
    metadata: { labels: { app: reviews, version: v1 } }
    spec:
      containers:
      - { name: reviews, image: "istio/examples-bookinfo-reviews-v1:1.20.3", env: [{ name: A, value: b }], ports: [{ containerPort: 9080 }] }
`;
    const POD =
      'apiVersion: v1\nkind: Pod\nmetadata: { name: ratings }\nspec: { containers: [{ name: ratings, image: r }, { name: istio-proxy, image: p }] }\n';

    test('apply tells created, unchanged and configured apart, in any version (I5)', async () => {
      const all = vs('productpage') + vs('reviews') + vs('ratings') + vs('details');
      const line = (name: string, what: string): string => `virtualservice.networking.istio.io/${name} ${what}\n`;
      expect(await apply(all)).toBe(
        ['productpage', 'reviews', 'ratings', 'details'].map((n) => line(n, 'created')).join(''),
      );
      const { revision } = api.store;
      expect(await apply(all)).toBe(
        ['productpage', 'reviews', 'ratings', 'details'].map((n) => line(n, 'unchanged')).join(''),
      );
      expect(api.store.revision).toBe(revision);
      const changed = vs('productpage') + vs('reviews', 'v3') + vs('ratings') + vs('details');
      expect(await apply(changed)).toBe(
        line('productpage', 'unchanged') +
          line('reviews', 'configured') +
          line('ratings', 'unchanged') +
          line('details', 'unchanged'),
      );
      expect(
        await run(
          'get virtualservices.v1beta1.networking.istio.io reviews -o jsonpath={.apiVersion},{.spec.http[0].route[0].destination.subset}',
        ),
      ).toBe('networking.istio.io/v1beta1,v3');
    });

    test('a file with problems is refused whole, each at its field, and nothing changes', async () => {
      const { revision } = api.store;
      const bad = vs('reviews').replace('hosts:', 'hostz:').replace('subset: v1', 'subset: 7');
      const { err, code } = await kubectl(['apply', '-f', '-'], bad);
      expect(code).toBe(1);
      expect(err).toContain('The VirtualService "reviews" is invalid');
      expect(err).toContain('* spec.hostz: unknown field; did you mean `hosts`?');
      expect(err).toContain('* spec.http[0].route[0].destination.subset: expected a string, got the number 7');
      expect(api.store.revision).toBe(revision);
    });

    test('an apply that takes a user’s rule away says so (A6)', async () => {
      const jason =
        '{ match: [{ headers: { end-user: { exact: jason } } }], route: [{ destination: { host: reviews, subset: v2 } }] }';
      await apply(vs('reviews').replace('http: [', `http: [${jason}, `));
      const { out, err } = await kubectl(['apply', '-f', '-'], vs('reviews', 'v3'));
      expect(out).toBe('virtualservice.networking.istio.io/reviews configured\n');
      expect(err).toMatch(/^Warning: this replaces VirtualService default\/reviews.*end-user exact "jason"/m);
    });

    test('a subset that no DestinationRule defines is accepted with a warning, until there is one (A4)', async () => {
      const { out, err } = await kubectl(['apply', '-f', '-'], vs('reviews', 'v2'));
      expect(out).toBe('virtualservice.networking.istio.io/reviews created\n');
      expect(err).toMatch(/^Warning: IST0101: .*reviews\+v2/m);
      const rule =
        'apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: { name: reviews }\nspec: { host: reviews, subsets: [{ name: v2, labels: { version: v2 } }] }\n';
      expect(await apply(rule + APP.replace('\n', '---\n'))).toContain(
        'destinationrule.networking.istio.io/reviews created',
      );
      const again = await kubectl(
        ['apply', '-f', '-'],
        vs('reviews', 'v2')
          .replace('labels: { app: reviews }', 'labels: { app: r }')
          .replace('http: [{', 'http: [{ name: main,'),
      );
      expect(again).toMatchObject({ code: 0, err: '' });
    });

    test('get shows the columns of Istio and of Kubernetes', async () => {
      await apply(vs('reviews') + '---' + APP + '---\n' + POD);
      expect(await run('get vs')).toMatch(/^NAME +GATEWAYS +HOSTS +AGE\nreviews +\["reviews"\] +\d+s\n$/);
      expect(await run('get deploy,svc -o wide')).toMatch(
        /deployment.apps\/reviews-v1 +0\/1 +0 +0 +\d+s +reviews +istio\/\S+ +app=reviews,version=v1/,
      );
      expect(await run('get pods')).toMatch(/NAME +READY +STATUS +RESTARTS +AGE\nratings +0\/2 +Pending +0 +\d+s/);
      expect(await run('get all')).toMatch(
        /pod\/ratings[^]*service\/reviews +ClusterIP +<none> +<none> +9080\/TCP[^]*deployment.apps\/reviews-v1/,
      );
      expect(await run('get vs -A -o name')).toBe('virtualservice.networking.istio.io/reviews\n');
    });

    test('selectors choose by label and by field', async () => {
      await apply(vs('reviews') + vs('ratings') + vs('details'));
      expect(await run('get vs -o name -l app!=details')).toBe(
        'virtualservice.networking.istio.io/ratings\nvirtualservice.networking.istio.io/reviews\n',
      );
      expect((await kubectl(['get', 'vs', '-o', 'name', '-l', 'app in (details, nobody)'])).out).toBe(
        'virtualservice.networking.istio.io/details\n',
      );
      expect(await run('get vs -o name --field-selector metadata.name=ratings')).toBe(
        'virtualservice.networking.istio.io/ratings\n',
      );
      expect(await run('get vs -o name --chunk-size=1')).toBe(
        ['details', 'ratings', 'reviews'].map((n) => `virtualservice.networking.istio.io/${n}\n`).join(''),
      );
    });

    test('what is not there is told as kubectl users know it', async () => {
      expect((await kubectl(['get', 'vs', 'nope'])).err).toBe(
        'Error from server (NotFound): virtualservices.networking.istio.io "nope" not found\n',
      );
      expect((await kubectl(['get', 'nopes'])).err).toBe('error: the server doesn\'t have a resource type "nopes"\n');
      expect((await kubectl(['apply', '-n', 'nowhere', '-f', '-'], vs('reviews'))).err).toContain(
        'namespaces "nowhere" not found',
      );
      expect((await kubectl(['get', 'vs'])).err).toBe('No resources found in default namespace.\n');
      await apply(vs('reviews'));
      expect((await kubectl(['create', '-f', '-'], vs('reviews'))).err).toContain('(AlreadyExists)');
    });

    test('diff shows what apply would change, and ends with 1', async () => {
      await apply(vs('reviews'));
      expect((await kubectl(['diff', '-f', '-'], vs('reviews'))).code).toBe(0);
      const { out, code } = await kubectl(['diff', '-f', '-'], vs('reviews', 'v3'));
      expect(code).toBe(1);
      expect(out).toMatch(/^-\s+subset: v1$/m);
      expect(out).toMatch(/^\+\s+subset: v3$/m);
    });

    test('edit opens the object and stores what the editor leaves', async () => {
      await apply(vs('reviews'));
      const editor = join(home, 'editor.sh');
      writeFileSync(editor, '#!/bin/sh\nsed -i "s/subset: v1/subset: v2/" "$1"\n');
      chmodSync(editor, 0o755);
      const { out, code, err } = await kubectl(['edit', 'vs', 'reviews'], '', { KUBE_EDITOR: editor });
      expect(code, err).toBe(0);
      expect(out).toContain('virtualservice.networking.istio.io/reviews edited');
      expect(await run('get vs reviews -o jsonpath={.spec.http[0].route[0].destination.subset}')).toBe('v2');
    });

    test('explain knows our kinds and Kubernetes’ own', async () => {
      expect(await run('explain virtualservice.spec.http')).toMatch(
        /VERSION: +v1[^]*FIELD: http <\[\]Object>[^]*retries/,
      );
      expect(await run('explain deployment.spec.replicas')).toMatch(/FIELD: replicas <integer>/);
      expect(await run('explain dr --recursive')).toContain('outlierDetection');
    });

    test('describe works on every kind of BookInfo, events included', async () => {
      await apply(vs('reviews') + '---' + APP + '---\n' + POD);
      for (const what of [
        'vs/reviews',
        'svc/reviews',
        'deploy/reviews-v1',
        'pod/ratings',
        'ns/default',
        'sa/default',
      ]) {
        const out = await run(`describe ${what}`);
        expect(out, what).toMatch(/^Name: +\S+/);
        if (!/^(ns|sa)\//.test(what)) expect(out, what).toMatch(/^Events: +<none>/m);
      }
    });

    test('-w shows changes as they happen', async () => {
      await apply(vs('reviews'));
      const columns = 'custom-columns=N:.metadata.name,S:.spec.http[0].route[0].destination.subset';
      const child = kubectl.start(['get', 'vs', '-w', '--no-headers', '-o', columns]);
      const lines = (async function* () {
        let rest = '';
        for await (const chunk of child.stdout) {
          const parts = (rest + String(chunk)).split('\n');
          rest = parts.pop()!;
          yield* parts;
        }
      })();
      const next = async (): Promise<string[]> =>
        String((await lines.next()).value)
          .trim()
          .split(/\s+/);
      try {
        expect(await next()).toEqual(['reviews', 'v1']);
        await apply(vs('reviews', 'v2'));
        expect(await next()).toEqual(['reviews', 'v2']);
        await apply(vs('ratings'));
        expect(await next()).toEqual(['ratings', 'v1']);
      } finally {
        child.kill('SIGKILL');
      }
    });

    test('scale, set image, label, annotate, patch and rollout restart change a Deployment', async () => {
      await apply(APP);
      expect(await run('scale deployment reviews-v1 --replicas=2')).toBe('deployment.apps/reviews-v1 scaled\n');
      expect(
        (await kubectl(['scale', 'deployment', 'reviews-v1', '--replicas=3', '--current-replicas=9'])).err,
      ).toContain('Expected replicas to be 9, was 2');
      await run('set image deployment/reviews-v1 reviews=other:2');
      await run('label deployment reviews-v1 team=a');
      await run('annotate deployment reviews-v1 note=b');
      await run('rollout restart deployment/reviews-v1');
      const { code, err } = await kubectl([
        'patch',
        'deployment',
        'reviews-v1',
        '-p',
        '{"spec":{"template":{"spec":{"containers":[{"name":"side","image":"s"}]}}}}',
      ]);
      expect([code, err]).toEqual([0, '']);
      const path =
        '{.spec.replicas} {.metadata.labels.team} {.metadata.annotations.note} {.spec.template.spec.containers[*].image} {.metadata.generation}';
      expect((await kubectl(['get', 'deploy', 'reviews-v1', '-o', `jsonpath=${path}`])).out).toBe('2 a b other:2 s 5');
      // What was applied is merged with what was set since.
      expect(await apply(APP.replace('value: b', 'value: c'))).toContain('deployment.apps/reviews-v1 configured');
      expect(await run('get deploy reviews-v1 -o jsonpath={.spec.template.spec.containers[0].env[0].value}')).toBe('c');
    });

    test('the generators of kubectl create work, which send protobuf', async () => {
      await run('create deployment web --image=nginx --replicas=2 --port=80');
      await run('create secret generic demo --from-literal=user=me');
      await run('create configmap settings --from-literal=a=b');
      await run('create namespace shop');
      await run('create serviceaccount robot -n shop');
      expect(await run('get secret demo -o jsonpath={.data.user}')).toBe('bWU=');
      expect(await run('get deploy web -o jsonpath={.spec.replicas}{.spec.template.spec.containers[0].image}')).toBe(
        '2nginx',
      );
      expect(await run('get sa -n shop -o name')).toBe('serviceaccount/default\nserviceaccount/robot\n');
      expect(await run('auth can-i delete pods')).toBe('yes\n');
    });

    test('server-side apply, its conflicts and --force-conflicts', async () => {
      expect(await apply(vs('reviews'), '--server-side ')).toBe(
        'virtualservice.networking.istio.io/reviews serverside-applied\n',
      );
      const other = ['apply', '--server-side', '--field-manager=other', '-f', '-'];
      const { err, code } = await kubectl(other, vs('reviews', 'v2'));
      expect(code).toBe(1);
      expect(err).toContain('Apply failed with 1 conflict: conflict with "kubectl": .spec.http');
      expect((await kubectl([...other, '--force-conflicts'], vs('reviews', 'v2'))).code).toBe(0);
      expect(await apply(vs('ratings'))).toContain('created');
      expect((await kubectl(['apply', '--server-side', '-f', '-'], vs('ratings'))).out).toContain('serverside-applied');
    });

    test('--dry-run=server tells what would happen and changes nothing', async () => {
      expect(await apply(vs('reviews'), '--dry-run=server ')).toBe(
        'virtualservice.networking.istio.io/reviews created (server dry run)\n',
      );
      expect(api.store.list('VirtualService')).toEqual([]);
      await apply(vs('reviews'));
      expect(await apply(vs('reviews', 'v2'), '--dry-run=server ')).toBe(
        'virtualservice.networking.istio.io/reviews configured (server dry run)\n',
      );
      expect(await run('get vs reviews -o jsonpath={.metadata.generation}')).toBe('1');
    });

    test('delete takes what it is told, and waits until it is gone', async () => {
      await apply(vs('reviews') + vs('ratings') + vs('details') + '---' + APP);
      expect(await run('delete -f - --wait=true', vs('reviews'))).toBe(
        'virtualservice.networking.istio.io "reviews" deleted\n',
      );
      expect(await run('delete vs -l app=ratings')).toContain('"ratings" deleted');
      expect(await run('delete vs --all')).toContain('"details" deleted');
      await run('delete deployment reviews-v1 --cascade=foreground');
      expect((await kubectl(['delete', 'vs', 'reviews'])).err).toContain('(NotFound)');
      expect((await kubectl(['delete', 'vs', 'reviews', '--ignore-not-found'])).code).toBe(0);
      expect(await run('replace -f - --force', APP)).toContain('service/reviews replaced');
    });

    test('logs and exec reach the container, with input, output and exit code', async () => {
      await apply(POD);
      expect(await run('logs ratings -c ratings')).toBe('ratings ratings says hello\n');
      expect(
        await kubectl(['exec', '-i', 'ratings', '-c', 'ratings', '--', 'echo', 'a', 'b'], ' and input'),
      ).toMatchObject({ out: 'a b and input', code: 0 });
      expect(await kubectl(['exec', 'ratings', '-c', 'ratings', '--', 'fail'])).toEqual({
        out: '',
        err: 'it failed\ncommand terminated with exit code 7\n',
        code: 7,
      });
      expect((await kubectl(['exec', 'nobody', '--', 'ls'])).err).toBe(
        'Error from server (NotFound): pods "nobody" not found\n',
      );
      expect((await kubectl(['exec', 'ratings', '-c', 'x', '--', 'ls'])).err).toContain(
        'container x is not valid for pod ratings: it has ratings, istio-proxy',
      );
    });
  },
);
