/** For tests: pods of BookInfo and of a Deployment called `shop`, as compose will see them. */
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { parseText } from '#proxy/istio/parse.ts';
import { pathText, Report } from '#proxy/istio/report.ts';
import type { Resource } from '#proxy/istio/resource.ts';
import { imagesFrom } from '../control-api/runner/image.ts';
import type { Deployment } from '../control-api/runner/object.ts';
import type { ComposeValue } from './compose-file.ts';
import { composePod, podName, whole, type PodFile } from './compose-pod.ts';

const images = imagesFrom('config/images.yaml');

export type Seen = Readonly<Record<string, Readonly<Record<string, ComposeValue>>>>;
export type Made = {
  readonly file: PodFile;
  /** As compose will see them. */
  readonly services: Seen;
  readonly said: readonly string[];
  readonly wanted: ReadonlyMap<string, string>;
};

export function made(resources: readonly Resource[], n = 1, name?: string): Made {
  const found = resources.find((r) => r.kind === 'Deployment' && (name === undefined || r.metadata.name === name));
  const deployment = found as Deployment;
  const report = new Report();
  const wanted = new Map<string, string>();
  const find = (kind: string, of: string): Resource | undefined =>
    resources.find((r) => r.kind === kind && r.metadata.name === of);
  const file = composePod(deployment, podName(deployment, n), { images, find, wanted }, report);
  const services = Object.fromEntries(Object.entries(file.services).map(([service, part]) => [service, whole(part)]));
  const said = report.findings.map((f) => `${f.severity} ${pathText(f.path)}: ${f.message}`);
  return { file, services, said, wanted };
}

/** A Deployment `shop` with these lines in its Pod's spec, after what else is in the file. */
export function shop(spec: string, { annotations = '', others = '' } = {}): Made {
  const text = `${others}
apiVersion: apps/v1
kind: Deployment
metadata: { name: shop }
spec:
  selector: { matchLabels: { app: shop } }
  template:
    metadata:
      labels: { app: shop, version: v1 }
      annotations: { ${annotations} }
    spec:
${spec.replaceAll(/^/gm, '      ')}
`;
  const { resources, problems } = parseText(text, { file: 'shop.yaml', defaultNamespace: 'default' });
  expect(problems.filter((p) => p.severity === 'error')).toEqual([]);
  return made(resources);
}

export const BOOKINFO = parseText(readFileSync('config/bookinfo/bookinfo.yaml', 'utf8'), {
  file: 'bookinfo.yaml',
  defaultNamespace: 'default',
}).resources;
/** A Pod's spec: one container `shop` with these fields as well. */
export const withFields = (fields: string): string => `containers: [{ name: shop, image: shop, ${fields} }]`;
