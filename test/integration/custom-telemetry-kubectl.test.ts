/** The stock kubectl with metrics and logs of one's own: what it says when they are written, listed, refused. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openStore } from '#control-api/open-store.ts';
import { createControlApi, type ControlApi } from '#control-api/server.ts';
import { analyze } from '#proxy/compile/analyze.ts';
import { DEFAULT_MESH } from '#proxy/compile/defaults.ts';
import { KUBECTL, kubectlIn, type Kubectl } from '../kit/kubectl.ts';

describe.skipIf(KUBECTL === null)(
  KUBECTL === null ? 'kubectl (skipped: it is not installed)' : 'kubectl',
  { timeout: 60_000 },
  () => {
    let api: ControlApi;
    let home: string;
    let kubectl: Kubectl;
    beforeAll(async () => {
      home = mkdtempSync(join(tmpdir(), 'lateen-kubectl-'));
      kubectl = kubectlIn(home, () => api.url);
      api = await createControlApi({
        host: '127.0.0.1',
        port: 0,
        store: openStore({ dir: null }),
        runtime: null,
        version: '0.0.0',
        ready: () => ({ ready: true, reasons: [] }),
        analyze: (set) => analyze(set, DEFAULT_MESH),
      });
    });
    afterAll(async () => {
      await api.close();
      api.store.close();
      rmSync(home, { recursive: true, force: true });
    });

    const RULE = readFileSync('config/bookinfo/new-metrics-rule.yaml', 'utf8');

    test("a file that has everything twice, as Istio's had, is created, then unchanged", async () => {
      const { out, err, code } = await kubectl(['apply', '-f', '-'], `${RULE}\n---\n${RULE}`);
      const names = ['metric', 'prometheus', 'rule', 'logentry', 'stdio', 'rule'].map(
        (kind, i) =>
          `${kind}.config.istio.io/${['doublerequestcount', 'doublehandler', 'doubleprom', 'newlog', 'newhandler', 'newlogstdio'][i]}`,
      );
      expect({ code, err }).toEqual({ code: 0, err: '' });
      expect(out.trim().split('\n')).toEqual([
        ...names.map((name) => `${name} created`),
        ...names.map((name) => `${name} unchanged`),
      ]);
    });

    test('our own kind is listed with what it defines', async () => {
      expect((await kubectl(['apply', '-f', 'config/bookinfo/custom-telemetry.yaml'])).code).toBe(0);
      const { out } = await kubectl(['get', 'ct', '-n', 'istio-system']);
      expect(out).toMatch(/^NAME +MODE +METRICS +LOGS +AGE\ndouble +\["double_request_count"\] +\["newlog"\] +\S+\n$/);
    });

    test('an attribute that does not exist is refused at its place', async () => {
      const { err, code } = await kubectl(['apply', '-f', '-'], RULE.replace('response.size', 'respons.size'));
      expect(code).toBe(1);
      expect(err).toContain('spec.variables.responseSize: ');
      expect(err).toContain('did you mean response.size');
    });
  },
);
