import { describe, expect, test } from 'vitest';
import { parseObject, parseText } from './parse.ts';

const read = (text: string) => parseText(text, { defaultNamespace: 'default' });
const said = (text: string): string[] =>
  read(text).problems.map(
    ({ severity, line, column, path, message }) => `${severity} ${line}:${column} ${path}: ${message}`,
  );

const VS = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: reviews
spec:
  hosts:
  - reviews
  http:
  - route:
    - destination:
        host: reviews
        subset: v1
`;

describe('parseText', () => {
  test('reads a resource as it was written', () => {
    expect(read(VS)).toEqual({
      resources: [
        {
          apiVersion: 'networking.istio.io/v1',
          kind: 'VirtualService',
          metadata: { name: 'reviews', namespace: 'default' },
          spec: { hosts: ['reviews'], http: [{ route: [{ destination: { host: 'reviews', subset: 'v1' } }] }] },
        },
      ],
      problems: [],
    });
  });

  test('reads JSON, with tabs too', () => {
    const json = JSON.stringify(
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, data: { k: 'v' } },
      null,
      '\t',
    );
    expect(read(json)).toMatchObject({ resources: [{ kind: 'ConfigMap', data: { k: 'v' } }], problems: [] });
  });

  test('reads several documents, and skips empty ones and comments', () => {
    const { resources, problems } = read(
      `---\n# nothing\n---\n${VS}---\n${VS.replace('name: reviews', 'name: other')}---\n`,
    );
    expect(resources.map((r) => r.metadata.name)).toEqual(['reviews', 'other']);
    expect(problems).toEqual([]);
  });

  test('takes lists apart, with places of their own', () => {
    const text = `apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Namespace, metadata: {name: a}}
- apiVersion: v1
  kind: Service
  metadata: {name: b}
  spec:
    ports: [{port: 0}]
`;
    expect(read(text).resources.map((r) => r.metadata.name)).toEqual(['a']);
    expect(said(text)).toEqual(['error 9:20 spec.ports[0].port: expected a whole number from 1 to 65535, got 0']);
  });

  test('names the place of every problem and keeps the resource back', () => {
    const text = VS.replace('subset: v1', 'subset: v1\n      weigth: 5\n    timeout: soon');
    expect(read(text).resources).toEqual([]);
    expect(said(text)).toEqual([
      'error 13:7 spec.http[0].route[0].weigth: unknown field; did you mean `weight`?',
      'error 14:14 spec.http[0].timeout: expected a duration such as "1.5s" or "100ms", got "soon"',
    ]);
  });

  test('names file and resource with a problem', () => {
    const { problems } = parseText(VS.replace('- reviews', '- 5'), { file: 'a.yaml', defaultNamespace: 'prod' });
    expect(problems[0]).toMatchObject({
      file: 'a.yaml',
      line: 7,
      column: 5,
      resource: { kind: 'VirtualService', namespace: 'prod', name: 'reviews' },
    });
  });

  test('returns a resource that only has warnings', () => {
    const { resources, problems } = read(VS.replace('  - route:', '  - mirror: {host: a}\n    route:'));
    expect(resources).toHaveLength(1);
    expect(problems.map((p) => p.severity)).toEqual(['warning']);
  });

  test('follows anchors, aliases and merge keys, as kubectl does', () => {
    const text = `apiVersion: v1
kind: ConfigMap
metadata: {name: a, labels: &l {app: x}}
data: {<<: *l, b: y}
`;
    expect(read(text).resources[0]).toMatchObject({ data: { app: 'x', b: 'y' } });
  });

  test('lets YAML 1.1 words pass for booleans', () => {
    const text = VS.replace('  - route:', '  - corsPolicy: {allowCredentials: yes}\n    route:');
    expect(read(text).resources[0]?.spec).toMatchObject({ http: [{ corsPolicy: { allowCredentials: true } }] });
  });

  test.each([
    ['a: 1\nb: 2\na: 3', 'error 3:1 : duplicate key `a`'],
    ['a: [1', 'error 1:6 : Flow sequence in block collection must be sufficiently indented and end with a ]'],
    ['just words', 'error 1:1 : expected a resource with apiVersion, kind and metadata, got "just words"'],
    ['a: *b', 'error 1:4 : unknown alias `b`'],
    ['a: &a [*a]', 'error 1:8 : alias `a` stands inside of what it stands for'],
    ['? [a]\n: 1', 'error 1:3 : expected a name as key'],
    ['{}', 'error 1:1 apiVersion: is required'],
    [
      'apiVersion: 1\nkind: Pod\nmetadata: {name: a}',
      'error 1:13 apiVersion: expected a string, got the number 1 (write it in quotes: "1")',
    ],
    [
      'apiVersion: v1\nkind: Pdo\nmetadata: {name: a}',
      'error 2:7 kind: unknown kind "Pdo" of "v1"; did you mean `Pod`?',
    ],
    [
      'apiVersion: v1\nkind: VirtualService\nmetadata: {name: a}',
      'error 1:13 apiVersion: expected networking.istio.io/v1, networking.istio.io/v1beta1, networking.istio.io/v1alpha3 for a VirtualService, got "v1"',
    ],
    ['apiVersion: v1\nkind: Pod\nspec: {containers: [{name: a, image: b}]}', 'error 1:1 metadata: is required'],
    [
      'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namepsace: b}',
      'error 3:21 metadata.namepsace: unknown field; did you mean `namespace`?',
    ],
    ['apiVersion: v1\nkind: Namespace\nmetadata: {}', 'error 3:1 metadata.name: is required'],
    ['apiVersion: v1\nkind: Namespace\nmetadata: {name: A}', 'error 3:18 metadata.name: expected lower-case letters'],
    [
      'apiVersion: v1\nkind: Service\nmetadata: {name: 1a}\nspec: {ports: [{port: 1}]}',
      'error 3:18 metadata.name: expected lower-case letters, digits and `-`, at most 63, with a letter at the start, got "1a"',
    ],
    [
      'apiVersion: v1\nkind: Namespace\nmetadata: {name: a, namespace: b}',
      'error 3:32 metadata.namespace: expected none: a Namespace is not in a namespace, got "b"',
    ],
    [
      'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: {"a b": c}}',
      'error 3:30 metadata.labels[a b]: expected a label key',
    ],
    [
      'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: {a: 1}}',
      'error 3:33 metadata.labels.a: expected a string, got the number 1 (write it in quotes: "1")',
    ],
    ['[1', 'error 1:'],
  ])('refuses %j', (text, message) => {
    const { resources } = read(text);
    expect(resources).toEqual([]);
    expect(said(text)[0]).toContain(message);
  });
});

describe('hostile text', () => {
  const bomb = [
    'a: &a [x,x,x,x,x,x,x,x,x]',
    ...'bcdefghij'.split('').map((c, i) => `${c}: &${c} [${Array(9).fill(`*${'abcdefghij'[i]}`).join(',')}]`),
  ];

  test.each<[string, string, string]>([
    ['aliases that multiply', bomb.join('\n'), 'got more through aliases'],
    ['thousands of brackets', '['.repeat(50_000), 'levels of nesting'],
    ['thousands of dashes', `${'- '.repeat(50_000)}a`, 'levels of nesting'],
    ['a text without end', 'a'.repeat(4 * 1024 * 1024 + 1), 'expected at most 4194304 characters'],
    ['a great many duplicate keys', 'k: 1\n'.repeat(50_000), 'duplicate key'],
    ['a great many errors', '---\na: 1\n'.repeat(5_000), 'is required'],
  ])('%s get a plain answer', (_, text, message) => {
    const { resources, problems } = read(text);
    expect(resources).toEqual([]);
    expect(problems.length).toBeLessThanOrEqual(1000);
    expect(problems[0]?.message).toContain(message);
  });

  test('`__proto__` changes nothing but is refused', () => {
    const { resources, problems } = read(
      'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {__proto__: {polluted: "yes"}}',
    );
    expect(resources).toEqual([]);
    expect(problems[0]?.message).toBe('`__proto__` cannot be a key');
    expect(({} as Record<string, unknown>)['polluted']).toBe(undefined);
  });
});

describe('parseObject', () => {
  const options = { defaultNamespace: 'default' };
  const meta = { name: 'a' };

  test('fills in the namespace, and nothing for kinds that have none', () => {
    expect(
      parseObject({ apiVersion: 'v1', kind: 'ConfigMap', metadata: meta }, options).resource?.metadata.namespace,
    ).toBe('default');
    expect(
      parseObject({ apiVersion: 'v1', kind: 'Namespace', metadata: meta }, options).resource?.metadata.namespace,
    ).toBe('');
  });

  test('does not take words for booleans: JSON has true and false', () => {
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata: meta, immutable: 'yes' };
    expect(parseObject(secret, options).problems[0]?.message).toBe('expected true or false, got "yes"');
  });

  test('keeps what the server wrote into metadata', () => {
    const metadata = {
      name: 'a',
      namespace: 'b',
      uid: 'u',
      resourceVersion: '5',
      generation: 2,
      managedFields: [{ manager: 'kubectl' }],
    };
    const { resource } = parseObject(
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { ...metadata, creationTimestamp: null } },
      options,
    );
    expect(resource?.metadata).toEqual(metadata);
  });

  test('reads an absent spec as an empty one, and asks for it where it must be', () => {
    const of = (kind: string) =>
      parseObject({ apiVersion: 'networking.istio.io/v1', kind, metadata: meta }, options).problems.map((p) => p.path);
    expect(of('DestinationRule')).toEqual(['spec.host']);
    expect(of('ServiceEntry')).toEqual(['spec']);
    const nothing = { apiVersion: 'config.istio.io/v1alpha2', kind: 'checknothing', metadata: meta, spec: null };
    expect(parseObject(nothing, options).resource?.spec).toEqual({});
  });
});

test('a Mixer rule whose match is no expression is refused where it is written', () => {
  const { resource, problems } = parseObject(
    {
      apiVersion: 'config.istio.io/v1alpha2',
      kind: 'rule',
      metadata: { name: 'deny' },
      spec: { match: 'source.labels["version" == "v3"', actions: [] },
    },
    { defaultNamespace: 'default' },
  );
  expect(resource).toBeNull();
  expect(problems[0]?.path).toBe('spec.match');
  expect(problems[0]?.message).toMatch(/^expected an expression; at character \d+: /);
});
