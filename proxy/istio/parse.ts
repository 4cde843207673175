/** YAML, JSON or plain objects into resources, and every problem that stands in the way. */
import { suggest } from '../core/suggest.ts';
import { dnsLabel } from './format.ts';
import { groupVersion, kindFor, KINDS, type KindInfo } from './kinds.ts';
import { objectMeta } from './kubernetes.ts';
import type { Problem } from './problem.ts';
import { pathText, Report, type Path } from './report.ts';
import type { Meta, Resource } from './resource.ts';
import { gotten, shown } from './shown.ts';
import { isRecord, validate, type Walk } from './validate.ts';
import { readYaml, type Place } from './yaml-document.ts';

/** Characters of one text: some 10,000 resources. More is a mistake or an attack. */
const LONGEST = 4 * 1024 * 1024;

/** Problems of one text that are told; past so many, more help nobody. */
const MOST_PROBLEMS = 1000;

/**
 * Resources of a YAML or JSON text of any number of documents; lists (`kind: List`) are taken apart. A resource with an error
 * is not among them. Never throws.
 */
export function parseText(
  text: string,
  options: { file?: string; defaultNamespace: string },
): { resources: Resource[]; problems: Problem[] } {
  const resources: Resource[] = [];
  const problems: Problem[] = [];
  const file = options.file === undefined ? {} : { file: options.file };
  if (text.length > LONGEST) {
    const message = `expected at most ${LONGEST} characters, got ${text.length}`;
    return { resources, problems: [{ severity: 'error', path: '', message, ...file }] };
  }
  const { documents, faults } = readYaml(text);
  for (const { severity, message, line, column } of faults)
    problems.push({ severity, path: '', message, ...file, line, column });
  for (const document of documents) {
    for (const { value, prefix } of itemsOf(document.value)) {
      const read = readResource(value, options.defaultNamespace, { yamlBooleans: true });
      const locate = (path: Path, onKey: boolean): Place => document.locate([...prefix, ...path], onKey);
      problems.push(...problemsOf(read, locate).map((problem) => ({ ...problem, ...file })));
      if (read.resource !== null) resources.push(read.resource);
    }
  }
  return { resources, problems: worst(problems).sort(byPlace) };
}

function worst(problems: Problem[]): Problem[] {
  if (problems.length <= MOST_PROBLEMS) return problems;
  const isError = ({ severity }: Problem): boolean => severity === 'error';
  return [...problems.filter(isError), ...problems.filter((p) => !isError(p))].slice(0, MOST_PROBLEMS);
}

const byPlace = (a: Problem, b: Problem): number => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0);

/** One resource of a plain object, as an API server gets it. Never throws. */
export function parseObject(
  value: unknown,
  options: { defaultNamespace: string },
): { resource: Resource | null; problems: Problem[] } {
  const read = readResource(value, options.defaultNamespace, { yamlBooleans: false });
  return { resource: read.resource, problems: problemsOf(read, null) };
}

type Read = { resource: Resource | null; report: Report; about: Problem['resource'] };

function* itemsOf(value: unknown): Iterable<{ value: unknown; prefix: Path }> {
  if (
    isRecord(value) &&
    typeof value['kind'] === 'string' &&
    value['kind'].endsWith('List') &&
    Array.isArray(value['items'])
  ) {
    for (const [i, item] of value['items'].entries()) yield { value: item, prefix: ['items', i] };
  } else yield { value, prefix: [] };
}

function problemsOf({ report, about }: Read, locate: ((path: Path, onKey: boolean) => Place) | null): Problem[] {
  return report.findings.map(({ severity, path, message, onKey }) => ({
    severity,
    path: pathText(path),
    message,
    ...(about === undefined ? {} : { resource: about }),
    ...locate?.(path, onKey),
  }));
}

function readResource(value: unknown, defaultNamespace: string, walk: Walk): Read {
  const report = new Report();
  if (!isRecord(value)) {
    report.error(`expected a resource with apiVersion, kind and metadata, got ${gotten(value)}`);
    return { resource: null, report, about: undefined };
  }
  const { apiVersion, kind, metadata, ...fields } = value;
  const info = kindOf(apiVersion, kind, report);
  const meta = readMeta(metadata, info, defaultNamespace, report, walk);
  if (info === undefined || meta === null) return { resource: null, report, about: undefined };
  const about = { kind: info.kind, namespace: meta.namespace, name: meta.name };
  const before = report.findings.length;
  const clean = validate(info.schema, withSpec(info, fields), report, walk) as Record<string, unknown>;
  const resource = {
    apiVersion: apiVersion as string,
    kind: info.kind,
    metadata: meta,
    ...clean,
  } as Resource;
  const fits = !report.findings.some((f, i) => i >= before && f.severity === 'error');
  if (fits) info.check(resource, report);
  return { resource: report.failed ? null : resource, report, about };
}

/** `spec:` without anything below is an empty one, as for checknothing or a Sidecar that takes the defaults. */
function withSpec(info: KindInfo, fields: Record<string, unknown>): Record<string, unknown> {
  const spec = Object.hasOwn(info.schema.fields, 'spec') ? info.schema.fields['spec'] : undefined;
  const absent = fields['spec'] === undefined || fields['spec'] === null;
  return spec !== undefined && !spec.required && absent ? { ...fields, spec: {} } : fields;
}

function kindOf(apiVersion: unknown, kind: unknown, report: Report): KindInfo | undefined {
  for (const [name, text] of Object.entries({ apiVersion, kind })) {
    if (text === undefined || text === null || text === '') report.at(name).error('is required');
    else if (typeof text !== 'string') report.at(name).error(`expected a string, got ${gotten(text, 'a string')}`);
  }
  if (typeof apiVersion !== 'string' || typeof kind !== 'string' || apiVersion === '' || kind === '') return undefined;
  const info = kindFor(apiVersion, kind);
  if (info === undefined) reportUnserved(apiVersion, kind, report);
  return info;
}

function reportUnserved(apiVersion: string, kind: string, report: Report): void {
  const named = KINDS.filter((info) => info.kind === kind);
  if (named.length > 0) {
    const served = named.flatMap(({ group, versions }) => versions.map((version) => groupVersion(group, version)));
    report.at('apiVersion').error(`expected ${served.join(', ')} for a ${kind}, got ${shown(apiVersion)}`);
    return;
  }
  const kinds = KINDS.filter(({ group, versions }) =>
    versions.some((version) => groupVersion(group, version) === apiVersion),
  );
  const near = suggest(
    kind,
    (kinds.length > 0 ? kinds : KINDS).map((info) => info.kind),
  );
  const hint =
    near === null ? `Lateen serves ${KINDS.map((info) => info.kind).join(', ')}` : `did you mean \`${near}\`?`;
  report.at('kind').error(`unknown kind ${shown(kind)} of ${shown(apiVersion)}; ${hint}`);
}

function readMeta(
  value: unknown,
  info: KindInfo | undefined,
  defaultNamespace: string,
  report: Report,
  walk: Walk,
): Meta | null {
  const at = report.at('metadata');
  if (!isRecord(value)) {
    at.error(
      value === undefined || value === null ? 'is required' : `expected a mapping of fields, got ${gotten(value)}`,
    );
    return null;
  }
  const meta = validate(objectMeta, value, at, walk) as Partial<Meta>;
  const { name } = meta;
  if (value['name'] === undefined || value['name'] === null || name === '') at.at('name').error('is required');
  if (name === undefined || name === '' || info === undefined) return null;
  const expected = info.nameFormat(name);
  if (expected !== null) at.at('name').error(`expected ${expected}, got ${shown(name)}`);
  return { ...meta, name, namespace: namespaceOf(meta.namespace, info, defaultNamespace, at.at('namespace')) };
}

function namespaceOf(given: string | undefined, info: KindInfo, defaultNamespace: string, report: Report): string {
  if (!info.namespaced) {
    if (given !== undefined && given !== '')
      report.error(`expected none: a ${info.kind} is not in a namespace, got ${shown(given)}`);
    return '';
  }
  if (given === undefined || given === '') return defaultNamespace;
  const expected = dnsLabel(given);
  if (expected !== null) report.error(`expected ${expected}, got ${shown(given)}`);
  return given;
}
