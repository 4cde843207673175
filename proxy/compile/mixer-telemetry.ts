/** Mixer's metrics and logs (Istio 1.0): rules that send instances of metric and logentry to prometheus and stdio. */
import type { MixerRuleSpec } from '../istio/mixer.ts';
import { bucketsOf, metricName, safeName } from '../istio/mixer-metric.ts';
import { levelOf, type StdioLevel, type StdioSpec } from '../istio/mixer-telemetry.ts';
import { readTyped, type Typed } from '../istio/mixer-type.ts';
import type { Resource } from '../istio/resource.ts';
import { isTaken } from '../istio/standard-metrics.ts';
import { call, literal, type Expression } from '../core/expression.ts';
import type { CustomMetric, LogSettings, TwoSided } from '../snapshot/telemetry.ts';
import type { Context } from './context.ts';
import { servicesOf } from './inbound-ports.ts';
import { type MixerReport, reportsOf } from './mixer-reports.ts';
import type { ReporterView } from './mixer-telemetry-attribute.ts';
import { asksReporter, asNumber, asText, type Compiled, compileWritten } from './mixer-telemetry-expression.ts';
import { sourceOf } from './problems.ts';

export type Defined = { readonly metrics: readonly CustomMetric[]; readonly logs: TwoSided<readonly LogSettings[]> };

type Rule = Resource<MixerRuleSpec>;
type Log = { readonly settings: LogSettings; readonly hop: boolean };

/** Rules of the root namespace are for the whole mesh, others for what is in their namespace (Mixer's config scoping). */
export function compileMixerTelemetry(c: Context): Defined {
  const metrics: CustomMetric[] = [];
  const logs: Log[] = [];
  for (const rule of c.resources.list<MixerRuleSpec>('rule')) {
    const { namespace } = rule.metadata;
    if (namespace !== c.node.namespace && namespace !== c.node.rootNamespace) continue;
    c.problems.guard(rule, undefined, () => {
      for (const report of reportsOf(c.resources, rule, (path, message) => c.problems.error(rule, path, message))) {
        if (report.kind === 'metric') metrics.push(...(compileMetric(c, rule, report) ?? []));
        else logs.push(...(compileLog(c, rule, report) ?? []));
      }
    });
  }
  const gateway = c.node.role === 'gateway';
  const of = (side: 'client' | 'server'): LogSettings[] =>
    logs.filter(({ hop }) => !hop || (side === 'client') === gateway).map(({ settings }) => settings);
  return { metrics, logs: { client: of('client'), server: of('server') } };
}

/** What is read of an instance and its rule. Undefined: not written. */
class Reader {
  readonly #read = new Map<string, Typed & { readonly ok: true }>();
  /** Null until all is read. */
  #view: ReporterView | null = null;

  /** False: it has no meaning. */
  add(name: string, text: string | undefined): boolean {
    if (text === undefined || text.trim() === '') return true;
    const typed = readTyped(text);
    if (typed.ok) this.#read.set(name, typed);
    return typed.ok;
  }

  /** A hop is told of once, by its server, unless what is written tells the two sides apart. */
  get hop(): boolean {
    return ![...this.#read.values()].some(({ value: written }) => asksReporter(written));
  }

  get(name: string, c: Context): Compiled | undefined {
    const typed = this.#read.get(name);
    return typed && compileWritten(typed.value, (this.#view ??= viewOf(c, this.hop)));
  }
}

function viewOf(c: Context, hop: boolean): ReporterView {
  const { node } = c;
  const { domainSuffix } = c.mesh;
  const [first] = servicesOf(c);
  const name = first?.name ?? node.canonicalService;
  const namespace = first?.namespace ?? node.namespace;
  return {
    node,
    hop,
    domainSuffix,
    service: { host: first?.host ?? `${name}.${namespace}.svc.${domainSuffix}`, name, namespace },
  };
}

/** The match, and that everything is there: Mixer makes no instance of which a value is missing. */
function condition(match: Compiled | undefined, needed: readonly (Compiled | undefined)[]): Expression | null {
  const parts: Expression[] = [];
  if (match !== undefined && !(match.expression.kind === 'value' && match.expression.value === true))
    parts.push(match.expression);
  for (const compiled of needed)
    if (compiled !== undefined && !compiled.certain) parts.push(call('has', compiled.expression));
  return parts.length === 0 ? null : parts.length === 1 ? parts[0]! : call('and', ...parts);
}

type MetricReport = Extract<MixerReport, { readonly kind: 'metric' }>;

function compileMetric(c: Context, rule: Rule, { instance, info, handler, path }: MetricReport): CustomMetric[] | null {
  const { value: text, dimensions = {} } = instance;
  const name = metricName(info);
  const reader = new Reader();
  if (!reader.add('match', rule.spec?.match)) return unreadable(c, rule);
  if (!reader.add('value', text) || !Object.entries(dimensions).every(([key, of]) => reader.add(`label ${key}`, of)))
    return unreadable(c, rule, name);
  const match = reader.get('match', c);
  const counted = reader.get('value', c);
  const number = counted && asNumber(counted);
  const buckets = info.kind === 'DISTRIBUTION' ? bucketsOf(info) : null;
  if (isTaken(name) || !number || (info.kind === 'DISTRIBUTION' && buckets === null)) {
    c.problems.error(handler, path, `${name} cannot be counted: it has no number, no buckets, or a name that is taken`);
    return null;
  }
  const labels = (info.label_names ?? info.labelNames ?? []).map((label) => {
    const of = reader.get(`label ${label}`, c);
    if (of === undefined)
      c.problems.warning(handler, `${path}.label_names`, `${name} has no dimension "${label}"; it is empty`);
    return { name: safeName(label), of };
  });
  return [
    {
      name,
      help: info.description ?? name,
      kind: KINDS[info.kind ?? 'COUNTER'],
      where: reader.hop ? 'hop' : 'both',
      protocol: 'both',
      when: condition(match, [counted, ...labels.map(({ of }) => of)]),
      value: number,
      labels: labels.map(({ name: label, of }) => [label, of === undefined ? literal('') : asText(of)] as const),
      buckets,
      source: sourceOf(handler, path),
    },
  ];
}

const KINDS = { UNSPECIFIED: 'counter', COUNTER: 'counter', GAUGE: 'gauge', DISTRIBUTION: 'histogram' } as const;

/** Only what came past validation: an old version of Lateen's, say. */
function unreadable(c: Context, rule: Rule, what = 'the match'): null {
  c.problems.error(rule, 'spec', `${what} cannot be read, so nothing is reported`);
  return null;
}

type LogReport = Extract<MixerReport, { readonly kind: 'log' }>;

function compileLog(c: Context, rule: Rule, { name, instance, stdio, handler }: LogReport): Log[] | null {
  const { severity, variables = {} } = instance;
  const reader = new Reader();
  if (!reader.add('match', rule.spec?.match)) return unreadable(c, rule);
  const readable = Object.entries(variables).every(([key, of]) => reader.add(`field ${key}`, of));
  if (!readable || !reader.add('severity', severity)) return unreadable(c, rule, name);
  const level = levelExpression(reader.get('severity', c)?.expression ?? literal(''), stdio);
  const names = Object.keys(variables).sort();
  const fields = names.map((field) => [field, reader.get(`field ${field}`, c)] as const);
  const filter = condition(reader.get('match', c), [reader.get('severity', c), ...fields.map(([, of]) => of)]);
  const shown = levels(stdio);
  if (level.kind === 'value' && !shown.includes(level.value as StdioLevel)) return null;
  const audible =
    level.kind === 'value' || shown.length === 3 ? null : call('in', level, ...shown.map((word) => literal(word)));
  const settings: LogSettings = {
    format: {
      kind: 'entry',
      instance: name,
      level,
      json: stdio.outputAsJson ?? stdio.output_as_json ?? true,
      fields: fields.flatMap(([field, of]) => (of === undefined ? [] : [[field, asText(of)] as const])),
    },
    filter: filter !== null && audible !== null ? call('and', filter, audible) : (filter ?? audible),
    percent: 100,
    path: null,
    source: sourceOf(handler, 'spec'),
  };
  return [{ settings, hop: reader.hop }];
}

const RANKED: readonly StdioLevel[] = ['info', 'warn', 'error'];
const levels = ({ outputLevel, output_level }: StdioSpec): readonly StdioLevel[] =>
  RANKED.slice(RANKED.indexOf(levelOf(outputLevel ?? output_level) ?? 'info'));

/** The adapter's own, which what is written comes on top of. */
const SEVERITIES: Readonly<Record<string, StdioLevel>> = Object.fromEntries(
  Object.entries({
    info: ['INFORMATIONAL', 'informational', 'INFO', 'info'],
    warn: ['WARNING', 'warning', 'WARN', 'warn'],
    error: ['ERROR', 'error', 'ERR', 'err', 'FATAL', 'fatal'],
  }).flatMap(([level, words]) => words.map((word) => [word, level as StdioLevel])),
);

/** Severities nobody mapped are info. */
function levelExpression(severity: Expression, stdio: StdioSpec): Expression {
  const written = Object.entries(stdio.severity_levels ?? stdio.severityLevels ?? {});
  const known = new Map<string, StdioLevel>(Object.entries(SEVERITIES));
  for (const [word, level] of written) known.set(word, levelOf(level) ?? 'info');
  if (severity.kind === 'value') return literal(known.get(`${severity.value}`) ?? 'info');
  const wordsOf = (level: StdioLevel): Expression[] =>
    [...known].filter(([, of]) => of === level).map(([word]) => literal(word));
  return (['warn', 'error'] as const).reduce<Expression>((otherwise, level) => {
    const words = wordsOf(level);
    return words.length === 0 ? otherwise : call('if', call('in', severity, ...words), literal(level), otherwise);
  }, literal('info'));
}
