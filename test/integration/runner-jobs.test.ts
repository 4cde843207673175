/** What ends by itself, with real processes and the stock kubectl: Pods that run once, Jobs, and the Secrets they wait for. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openStore } from '#control-api/open-store.ts';
import { startRunner, type Runner } from '#control-api/runner/runner.ts';
import { createControlApi, type ControlApi } from '#control-api/server.ts';
import { KUBECTL, kubectlIn, type Kubectl } from '../kit/kubectl.ts';

const BARE = { 'sidecar.istio.io/inject': 'false' };
type Container = { readonly args: readonly string[]; readonly env?: readonly object[] };

const pod = (name: string, { args, env = [] }: Container, annotations: object = BARE): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, annotations },
    spec: { restartPolicy: 'Never', containers: [{ name: 'setup', image: 'sh', args, env }] },
  });

describe.skipIf(KUBECTL === null)(
  KUBECTL === null ? 'what ends by itself (skipped: kubectl is not installed)' : 'what ends by itself',
  { timeout: 60_000 },
  () => {
    const dir = mkdtempSync(join(tmpdir(), 'lateen-jobs-'));
    const store = openStore({ dir: null });
    let api: ControlApi;
    let runner: Runner;
    let kubectl: Kubectl;

    beforeAll(async () => {
      writeFileSync(join(dir, 'images.yaml'), 'images: [{ match: sh, command: [/bin/sh, -c] }]');
      api = await createControlApi({
        host: '127.0.0.1',
        port: 0,
        store,
        runtime: {
          logs: (...about) => runner.pods.logs(...about),
          exec: (...about) => runner.pods.exec(...about),
        },
        ready: () => ({ ready: true, reasons: [] }),
        analyze: () => [],
        version: '0',
      });
      runner = startRunner({
        store,
        controlUrl: api.url,
        lateen: [process.execPath, fileURLToPath(new URL('../../cli/main.ts', import.meta.url))],
        stateDir: join(dir, 'state'),
        imagesFile: join(dir, 'images.yaml'),
        podCidr: `127.46.${process.pid & 255}.0/24`,
        gateway: null,
        proxyFlags: ['--access-log=off'],
        cwd: dir,
        startWidth: 4,
        settled: (revision) => api.proxies.settled(revision),
        onError: (message) => expect.fail(message),
      });
      kubectl = kubectlIn(dir, () => api.url);
    });
    afterAll(async () => {
      await runner.stop(2000);
      await api.close();
      rmSync(dir, { recursive: true, force: true });
    });

    async function run(words: string, input = ''): Promise<string> {
      const { out, err, code } = await kubectl(words.split(' '), input);
      expect(code, `kubectl ${words}: ${err}`).toBe(0);
      return out;
    }
    const over = (name: string, phase: string): Promise<string> =>
      run(`wait --for=jsonpath={.status.phase}=${phase} --timeout=20s pod/${name}`);
    const cells = async (what: string): Promise<string[]> =>
      (await run(`get ${what} --no-headers`)).trim().split(/\s+/);

    test('a Pod that runs once is Completed; its log stays, commands are refused, and it can be deleted', async () => {
      await run('apply -f -', pod('setup', { args: ['echo loaded'] }));
      await over('setup', 'Succeeded');
      expect((await cells('pod setup')).slice(0, 4)).toEqual(['setup', '0/1', 'Completed', '0']);
      expect(await run('logs -f setup')).toBe('loaded\n');
      expect(await run('describe pod setup')).toMatch(
        /State: +Terminated\n +Reason: +Completed\n +Exit Code: +0\n +Started: .+\n +Finished: .+/,
      );
      const refused = await kubectl(['exec', 'setup', '--', 'true']);
      expect([refused.code, refused.err]).toEqual([1, expect.stringContaining('current phase is Succeeded') as string]);
      expect(await run('delete pod setup')).toContain('pod "setup" deleted');
    });

    test('a Pod that fails is Error, with its exit code', async () => {
      await run('apply -f -', pod('fails', { args: ['echo Environment variables not found.; exit 3'] }));
      await over('fails', 'Failed');
      expect((await cells('pod fails')).slice(0, 4)).toEqual(['fails', '0/1', 'Error', '0']);
      const path = '{.status.containerStatuses[0].state.terminated.exitCode}';
      expect(await run(`get pod fails -o jsonpath=${path}`)).toBe('3');
    });

    test('a Pod whose Secret is missing waits for it, says so, and goes on when it comes; no event tells the value', async () => {
      const from = (key: string): object => ({ valueFrom: { secretKeyRef: { name: 'demo-credentials', key } } });
      const env = [
        { name: 'USERNAME', ...from('username') },
        { name: 'PASSWORD', ...from('password') },
      ];
      await run('apply -f -', pod('waits', { args: ['echo $USERNAME ${#PASSWORD}'], env }));
      const why = '{.status.containerStatuses[0].state.waiting.message}';
      await run(`wait --for=jsonpath=${why} --timeout=20s pod/waits`);
      expect(await cells('pod waits')).toContain('CreateContainerConfigError');
      expect(await run(`get pod waits -o jsonpath=${why}`)).toBe('secret "demo-credentials" not found');
      await run('create secret generic demo-credentials --from-literal=username=ann --from-literal=password=hunter2');
      await over('waits', 'Succeeded');
      expect(await run('logs waits')).toBe('ann 7\n');
      const { data } = JSON.parse(await run('get secret demo-credentials -o json')) as { data: object };
      expect(Object.keys(data)).toEqual(['password', 'username']);
      expect(await run('get events -o json')).not.toMatch(/hunter2|aHVudGVyMg/);
    });

    test('a Job with sidecars is complete when its Pods have ended, and takes them with it', async () => {
      const template = {
        spec: { restartPolicy: 'Never', containers: [{ name: 'load', image: 'sh', args: ['echo done'] }] },
      };
      const job = {
        apiVersion: 'batch/v1',
        kind: 'Job',
        metadata: { name: 'load' },
        spec: { completions: 2, parallelism: 2, template },
      };
      await run('apply -f -', JSON.stringify(job));
      await run('wait --for=condition=complete --timeout=30s job/load');
      const [name, status, completions] = await cells('job load');
      expect([name, status, completions]).toEqual(['load', 'Complete', '2/2']);
      expect(await run('logs job/load')).toBe('done\n');
      const pods = (await run('get pods -l job-name=load --no-headers')).trim().split('\n');
      expect(pods.map((line) => line.split(/\s+/).slice(1, 3))).toEqual([
        ['0/2', 'Completed'],
        ['0/2', 'Completed'],
      ]);
      expect(await run('apply -f -', JSON.stringify(job))).toBe('job.batch/load unchanged\n');
      await run('delete job load --cascade=foreground');
      await run('wait --for=delete --timeout=20s pod -l job-name=load');
    });

    test('kubectl create job and kubectl run --restart=Never work', async () => {
      await run('create job hello --image=sh -- /bin/sh -c exit');
      await run('wait --for=condition=complete --timeout=30s job/hello');
      await run('run once --image=sh --restart=Never --annotations=sidecar.istio.io/inject=false -- true');
      await over('once', 'Succeeded');
    });
  },
);
