/** Label and field selectors: text → predicate over objects. */
import type { Resource } from '#proxy/istio/resource.ts';
import { badRequest } from './status-error.ts';

export type Predicate = (resource: Resource) => boolean;

const EVERYTHING: Predicate = () => true;

/**
 * `app=reviews,version in (v1, v2),!canary` → predicate
 * (https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors). Throws BadRequest.
 */
export function labelSelector(text: string | null): Predicate {
  const terms = splitTerms(text ?? '').map(labelTerm);
  if (terms.length === 0) return EVERYTHING;
  return ({ metadata: { labels } }) => terms.every((term) => term(new Map(Object.entries(labels ?? {}))));
}

type LabelTerm = (labels: ReadonlyMap<string, string>) => boolean;

const KEY = String.raw`(?<key>(?:[a-zA-Z0-9.-]{1,253}\/)?[a-zA-Z0-9](?:[\w.-]{0,61}[a-zA-Z0-9])?)`;
const SET = new RegExp(String.raw`^${KEY}\s+(?<operator>in|notin)\s*\((?<values>[^()]*)\)$`);
const EQUALITY = new RegExp(String.raw`^${KEY}\s*(?<operator>==|=|!=|>|<)\s*(?<values>[\w.-]*)$`);
const EXISTENCE = new RegExp(String.raw`^(?<operator>!?)\s*${KEY}$`);

function labelTerm(text: string): LabelTerm {
  const found = (SET.exec(text) ?? EQUALITY.exec(text) ?? EXISTENCE.exec(text))?.groups;
  if (found === undefined) {
    throw badRequest(
      `unable to parse requirement: "${text}" is not KEY, !KEY, KEY=VALUE, KEY!=VALUE, KEY in (…) or KEY notin (…)`,
    );
  }
  const key = found['key']!;
  const values = (found['values'] ?? '').split(',').map((v) => v.trim());
  switch (found['operator']) {
    case 'in':
      return (labels) => labels.has(key) && values.includes(labels.get(key)!);
    case 'notin':
      return (labels) => !labels.has(key) || !values.includes(labels.get(key)!);
    case '!=':
      return (labels) => labels.get(key) !== values[0];
    case '>':
      return (labels) => Number(labels.get(key)) > Number(values[0]);
    case '<':
      return (labels) => Number(labels.get(key)) < Number(values[0]);
    case '!':
      return (labels) => !labels.has(key);
    case '':
      return (labels) => labels.has(key);
    default:
      return (labels) => labels.get(key) === values[0];
  }
}

/** At commas, but not at those inside parentheses. */
function splitTerms(text: string): string[] {
  const terms = text.match(/(?:\([^)]*\)|[^,])+/g) ?? [];
  return terms.map((term) => term.trim()).filter((term) => term !== '');
}

/**
 * `metadata.name=x,status.phase!=Failed` → predicate. Any scalar field can be asked for; one that is not there is "".
 * Throws BadRequest.
 */
export function fieldSelector(text: string | null): Predicate {
  const terms = (text ?? '')
    .split(',')
    .filter((term) => term.trim() !== '')
    .map(fieldTerm);
  if (terms.length === 0) return EVERYTHING;
  return (resource) => terms.every((term) => term(resource));
}

function fieldTerm(text: string): Predicate {
  const found = /^\s*([\w.]+)\s*(==|=|!=)\s*(.*?)\s*$/.exec(text);
  if (found === null) throw badRequest(`invalid field selector "${text}": expected FIELD=VALUE or FIELD!=VALUE`);
  const [, path = '', operator, wanted = ''] = found;
  const fields = path.split('.');
  return (resource) => (fieldOf(resource, fields) === wanted) === (operator !== '!=');
}

function fieldOf(resource: Resource, path: readonly string[]): string {
  let value: unknown = resource;
  for (const field of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, field)) return '';
    value = (value as Record<string, unknown>)[field];
  }
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';
}
