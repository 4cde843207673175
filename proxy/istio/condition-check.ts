/** The keys that `when` of an AuthorizationPolicy knows, and what their values have to look like. */
import { suggest } from '../core/suggest.ts';
import type { Condition } from './authorization-policy.ts';
import { headerName, ipOrCidr, labelKey, portNumber, serviceAccountRef, valuePattern } from './format.ts';
import type { Report } from './report.ts';
import type { Format } from './schema.ts';
import { shown } from './shown.ts';

const PLAIN: Readonly<Record<string, Format>> = {
  'source.ip': ipOrCidr,
  'remote.ip': ipOrCidr,
  'source.namespace': valuePattern,
  'source.principal': valuePattern,
  'source.serviceAccount': serviceAccountRef,
  'destination.ip': ipOrCidr,
  'destination.port': portNumber,
  'connection.sni': valuePattern,
};

/** With a name in brackets. The labels are Lateen's own extension. */
const BRACKETED: Readonly<Record<string, { name: Format; value: Format }>> = {
  'request.headers': { name: headerName, value: valuePattern },
  'source.labels': { name: labelKey, value: valuePattern },
  'destination.labels': { name: labelKey, value: valuePattern },
};

const NOT_ENFORCED: Readonly<Record<string, string>> = {
  'request.auth.principal': 'request tokens',
  'request.auth.audiences': 'request tokens',
  'request.auth.presenter': 'request tokens',
  'request.auth.claims': 'request tokens',
  'source.trustDomain': 'trust domains',
  'experimental.envoy.filters': 'metadata of Envoy filters',
};

const REPLACED: Readonly<Record<string, string>> = {
  'source.user': 'source.principal',
  'destination.user': 'the selector of the policy',
  'destination.name': 'the selector of the policy',
  'destination.namespace': 'the namespace of the policy',
  'source.name': 'source.labels[app]',
  'request.host': '`hosts` of an operation',
  'request.method': '`methods` of an operation',
  'request.path': '`paths` of an operation',
};

export function checkCondition({ key, values = [], notValues = [] }: Condition, report: Report): void {
  const format = formatOf(key, report.at('key'));
  if (values.length + notValues.length === 0) report.error('expected values or notValues, got neither');
  for (const [name, list] of Object.entries({ values, notValues })) {
    for (const [i, value] of list.entries()) {
      const expected = value === '' ? 'some text' : (format?.(value) ?? null);
      if (expected !== null) report.at(name, i).error(`expected ${expected}, got ${shown(value)}`);
    }
  }
}

function formatOf(key: string, report: Report): Format | null {
  if (Object.hasOwn(PLAIN, key)) return PLAIN[key]!;
  const [, base = key, name] = /^([^[]*)\[(.+)\]$/.exec(key) ?? [];
  const unenforced = Object.keys(NOT_ENFORCED).find((known) => base === known || base.startsWith(`${known}.`));
  if (unenforced !== undefined) {
    report.error(
      `not supported: Lateen does not check ${NOT_ENFORCED[unenforced]} so far, so ${shown(key)} could not be enforced`,
    );
    return null;
  }
  if (Object.hasOwn(BRACKETED, base)) {
    const { name: nameFormat, value } = BRACKETED[base]!;
    const expected = name === undefined ? 'a name in brackets' : nameFormat(name);
    if (expected !== null) report.error(`expected ${expected}: \`${base}[NAME]\`, got ${shown(key)}`);
    return value;
  }
  if (Object.hasOwn(REPLACED, base)) report.error(`unknown attribute ${shown(key)}, replaced by ${REPLACED[base]}`);
  else reportUnknown(key, base, report);
  return null;
}

function reportUnknown(key: string, base: string, report: Report): void {
  const known = [...Object.keys(PLAIN), ...Object.keys(BRACKETED).map((name) => `${name}[NAME]`)];
  const near = suggest(base, [...Object.keys(PLAIN), ...Object.keys(BRACKETED)]);
  report.error(
    `unknown attribute ${shown(key)}; ${near === null ? `expected one of ${known.join(', ')}` : `did you mean \`${near}\`?`}`,
  );
}
