/**
 * Writes docs/fields.md: every field of every Istio kind, what Lateen does with it, and why not where it does nothing.
 * `--check` writes nothing and fails when the file is not what it should be.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { KINDS, type KindInfo } from '#proxy/istio/kinds.ts';
import type { Schema, Support } from '#proxy/istio/schema.ts';

const FILE = 'docs/fields.md';
const TABLE_HEAD = ['| field | type | default | support |', '| --- | --- | --- | --- |'];

type Row = { readonly path: string; readonly schema: Schema; readonly support: Support; readonly reason: string };

const text = render(KINDS.filter(({ group }) => group.endsWith('istio.io')));
if (!process.argv.includes('--check')) writeFileSync(FILE, text);
else if (readFileSync(FILE, 'utf8') !== text) {
  console.error(`${FILE} is not up to date: npm run fields`);
  process.exitCode = 1;
}

function render(kinds: readonly KindInfo[]): string {
  const tables = kinds.map((info) => ({ info, rows: rowsOf(info) }));
  const all = tables.flatMap(({ rows }) => rows);
  return [
    '# Which fields of Istio work',
    '',
    'Generated from the schemas in `proxy/istio/` by `npm run fields`; do not edit.',
    '',
    '- **yes**: Lateen acts on it.',
    '- **ignored**: accepted, without effect, with a warning that says so.',
    '- **refused**: an error, because dropping it silently would be unsafe.',
    '',
    '| kind | fields | yes | ignored | refused |',
    '| --- | ---: | ---: | ---: | ---: |',
    ...tables.map(({ info, rows }) => `| [${info.kind}](#${info.kind.toLowerCase()}) ${counts(rows)}`),
    `| all ${counts(all)}`,
    ...tables.flatMap(({ info, rows }) => section(info, rows)),
    '',
  ].join('\n');
}

function counts(rows: readonly Row[]): string {
  const of = (support: Support): number => rows.filter((row) => row.support === support).length;
  return `| ${rows.length} | ${of('full')} | ${of('ignored')} | ${of('refused')} |`;
}

function section({ kind, group, versions }: KindInfo, rows: readonly Row[]): string[] {
  return [
    '',
    `## ${kind}`,
    '',
    versions.map((version) => `\`${group}/${version}\``).join(', '),
    '',
    ...(rows.length === 0 ? ['Known by name only: accepted, without effect.'] : TABLE_HEAD),
    ...rows.map(
      (row) => `| ${[`\`${row.path}\``, typeOf(row.schema), defaultOf(row.schema), told(row)].join(' | ')} |`,
    ),
  ];
}

function rowsOf({ schema }: KindInfo): readonly Row[] {
  const spec = schema.fields['spec'];
  return spec?.kind === 'object' ? below(spec, '', spec.support, spec.reason ?? '') : [];
}

/** The fields of an object, and theirs. What stands in something ignored or refused is no more than that. */
function below(schema: Schema, path: string, support: Support, reason: string): readonly Row[] {
  switch (schema.kind) {
    case 'object':
      return Object.entries(schema.fields).flatMap(([name, field]) => {
        const inherited = support !== 'full';
        const row: Row = {
          path: path === '' ? name : `${path}.${name}`,
          schema: field,
          support: inherited ? support : field.support,
          reason: inherited ? reason : (field.reason ?? ''),
        };
        return [row, ...below(field, row.path, row.support, row.reason)];
      });
    case 'list':
      return below(schema.item, `${path}[]`, support, reason);
    case 'map':
      return below(schema.value, `${path}{}`, support, reason);
    default:
      return [];
  }
}

function typeOf(schema: Schema): string {
  switch (schema.kind) {
    case 'list':
      return `list of ${typeOf(schema.item)}`;
    case 'map':
      return `map of ${typeOf(schema.value)}`;
    case 'enum':
      return schema.values.map((value) => `\`${value}\``).join(', ');
    case 'number':
      return schema.integer ? 'integer' : 'number';
    case 'int-or-string':
      return 'integer or string';
    case 'anything':
      return 'any';
    case 'string':
    case 'duration':
    case 'bool':
    case 'object':
      return schema.kind;
  }
}

function defaultOf(schema: Schema): string {
  return schema.default === undefined ? '' : `\`${String(schema.default)}\``;
}

/** With the reason where it does nothing; values of an enumeration that do nothing have their own. */
function told({ schema, support, reason }: Row): string {
  if (support !== 'full') return `**${support}**: ${cell(reason)}`;
  if (schema.kind !== 'enum') return 'yes';
  const not = Object.entries(schema.unsupported).map(
    ([value, { support: how, reason: why }]) => `\`${value}\` ${how}: ${cell(why)}`,
  );
  return ['yes', ...not].join('; ');
}

function cell(words: string): string {
  return words.replaceAll('|', '\\|').replaceAll('\n', ' ');
}
