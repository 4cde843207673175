/**
 * What the mesh's ConfigMap says of logs, traces and metrics (istio.mesh.v1alpha1: MeshConfig). Where it says nothing, the proxies' flags
 * count.
 */
import type { CustomTag, LogFormat } from '../snapshot/telemetry.ts';
import type { Context } from './context.ts';
import { ISTIO_TEXT, jsonFormat, textFormat } from './log-settings.ts';
import { child, meshConfigOf } from './mesh-config.ts';
import { MeshReader } from './mesh-reader.ts';

/** Where logs, spans or metrics go. */
export type Provider = {
  readonly name: string;
  /** `traces`: to the collector that the proxies' command lines name. `other`: one of Istio's that Lateen has not. */
  readonly kind: 'log' | 'traces' | 'metrics' | 'other';
  readonly format: LogFormat;
  /** A file; null: where the proxy's command line says. */
  readonly path: string | null;
};

export type MeshTelemetry = {
  /** By name in lower case, as Istio compares. */
  readonly providers: ReadonlyMap<string, Provider>;
  /** MeshConfig.defaultProviders; null: nothing is said. */
  readonly defaults: {
    readonly tracing: readonly string[] | null;
    readonly metrics: readonly string[] | null;
    readonly accessLogging: readonly string[] | null;
  };
  /** Where neither Telemetry resources nor default providers say anything. */
  readonly logs: boolean;
  readonly tracing: {
    readonly enabled: boolean;
    readonly percent: number;
    readonly istioTags: boolean;
    readonly tags: readonly CustomTag[];
    readonly maxPathLength: number | null;
  };
};

const STANDARD: LogFormat = { kind: 'default' };
const KINDS: Readonly<Record<string, Provider['kind']>> = {
  envoyFileAccessLog: 'log',
  zipkin: 'traces',
  opentelemetry: 'traces',
  prometheus: 'metrics',
};

export function meshTelemetry(c: Context): MeshTelemetry {
  const mesh = new MeshReader(c.problems, meshConfigOf(c.resources, c.mesh.rootNamespace));
  const file = mesh.at('accessLogFile').text();
  const defaults = mesh.at('defaultProviders');
  const tracing = mesh.at('defaultConfig', 'tracing');
  return {
    providers: providersOf(mesh, file),
    defaults: {
      tracing: namesOf(defaults.at('tracing')),
      metrics: namesOf(defaults.at('metrics')),
      accessLogging: namesOf(defaults.at('accessLogging')),
    },
    logs: file === null ? c.mesh.accessLog : file !== '',
    tracing: {
      enabled: mesh.at('enableTracing').bool() ?? true,
      percent: tracing.at('sampling').number(0, 100) ?? c.mesh.tracingPercent,
      istioTags: tracing.at('enableIstioTags').bool() ?? true,
      tags: tracing
        .at('customTags')
        .entries()
        .flatMap(([name, tag]) => tagOf(name, tag)),
      maxPathLength: tracing.at('maxPathTagLength').number(1, 65_536),
    },
  };
}

const namesOf = (list: MeshReader): readonly string[] | null =>
  list.there ? list.items().flatMap((item) => item.text() ?? []) : null;

/** Istio has `envoy` and `prometheus` without being told; the two kinds of traces go by their names here. */
function providersOf(mesh: MeshReader, file: string | null): ReadonlyMap<string, Provider> {
  const builtIn: readonly Provider[] = [
    { name: 'envoy', kind: 'log', format: meshFormat(mesh), path: pathOf(file ?? '') },
    ...(['zipkin', 'opentelemetry'] as const).map((name) => provider(name, 'traces')),
    provider('prometheus', 'metrics'),
  ];
  const own = mesh
    .at('extensionProviders')
    .items()
    .flatMap((item) => providerOf(item, builtIn[0]!));
  return new Map([...builtIn, ...own].map((p) => [p.name.toLowerCase(), p]));
}

const provider = (name: string, kind: Provider['kind']): Provider => ({ name, kind, format: STANDARD, path: null });

/** Standard output is where the proxy's own log goes. */
const pathOf = (path: string): string | null => (path === '' || path === '/dev/stdout' ? null : path);

function meshFormat(mesh: MeshReader): LogFormat {
  const encoding = mesh.at('accessLogEncoding');
  const format = mesh.at('accessLogFormat');
  const named = encoding.text();
  const text = format.text() ?? '';
  const complain = (message: string): void => format.warn(message);
  if (named !== null && named !== 'TEXT' && named !== 'JSON')
    encoding.warn(`expected TEXT or JSON, got ${JSON.stringify(named)}`);
  // Neither said: Lateen's own, which tells more than Istio's text.
  if (named !== 'JSON') return named === 'TEXT' || text !== '' ? (textFormat(text, complain) ?? STANDARD) : STANDARD;
  const fields = text === '' ? {} : objectOf(text);
  if (fields !== null) return jsonFormat(fields, complain) ?? STANDARD;
  complain('expected a JSON object of formats by field');
  return STANDARD;
}

function objectOf(text: string): object | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

function providerOf(item: MeshReader, envoy: Provider): readonly Provider[] {
  const name = item.at('name').text();
  if (name === null || name === '') {
    item.warn('a provider needs a name');
    return [];
  }
  const kind = Object.keys(KINDS).find((key) => Object.hasOwn(Object(item.value), key));
  if (kind !== 'envoyFileAccessLog') return [provider(name, kind === undefined ? 'other' : KINDS[kind]!)];
  const log = item.at(kind);
  const format = providerFormat(log.at('logFormat')) ?? (name === 'envoy' ? envoy.format : ISTIO_TEXT);
  return [{ name, kind: 'log', format, path: pathOf(log.at('path').text() ?? '') }];
}

/** Null: it says none. */
function providerFormat(format: MeshReader): LogFormat | null {
  if (!format.there) return null;
  const [text, labels] = [format.at('text'), format.at('labels')];
  const made = labels.there
    ? jsonFormat(Object(labels.value) as object, (message) => labels.warn(message))
    : textFormat(text.text() ?? '', (message) => text.warn(message));
  return made ?? STANDARD;
}

/** ProxyConfig.Tracing.CustomTag. */
function tagOf(name: string, tag: MeshReader): readonly CustomTag[] {
  const [literal, environment, header] = [tag.at('literal'), tag.at('environment'), tag.at('header')];
  if (literal.there) return [{ name, value: { kind: 'literal', value: literal.at('value').text() ?? '' } }];
  const kind = environment.there ? 'environment' : 'header';
  const of = environment.there ? environment : header;
  const key = of.at('name').text();
  if (key !== null && key !== '') return [{ name, value: { kind, name: key, otherwise: defaultOf(of.value) } }];
  tag.warn('expected literal, environment or header');
  return [];
}

const defaultOf = (of: unknown): string | null => {
  const value = child(of, 'defaultValue');
  return typeof value === 'string' && value !== '' ? value : null;
};
