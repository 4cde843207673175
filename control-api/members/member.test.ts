import { describe, expect, test } from 'vitest';
import { memberName, memberOf, readMember } from './member.ts';
import { said } from './fake-mesh.ts';

const whole = said() as unknown as Record<string, never>;
const [app, proxy] = said().containers as unknown as Record<string, never>[];

describe('a registration', () => {
  test('is read as it was said, and what is not known is left out', () => {
    const bytes = Buffer.from(JSON.stringify({ ...whole, flavour: 'sweet' }));
    expect(readMember(bytes, 'application/json')).toEqual(said());
  });

  test('may leave out other addresses, labels, ports, images and reasons', () => {
    const { addresses: _a, labels: _, terminating: _t, ...rest } = whole;
    expect(memberOf({ ...rest, containers: [{ name: 'a', ready: true }] })).toMatchObject({
      addresses: [],
      labels: {},
      terminating: false,
      containers: [{ name: 'a', image: '', ready: true, ports: [], reason: '' }],
    });
  });

  test('writes other addresses as connections show them, each once, without the first', () => {
    const addresses = [
      'FE80:0:0::42',
      '10.7.0.2',
      'fe80::42',
      '172.20.0.5',
      'fd00:0:0:1::5',
      '::ffff:10.7.0.3',
    ] as never;
    expect(memberOf({ ...whole, addresses }).addresses).toEqual(['10.7.0.2', '10.7.0.3', 'fd00:0:0:1::5', 'fe80::42']);
  });

  test('keeps of a reason what a terminal may show, and not all of it', () => {
    const reason = `\u001b[31mred${'x'.repeat(600)}`;
    const [container] = memberOf({ ...whole, containers: [{ name: 'a', ready: false, reason }] }).containers;
    expect(container!.reason).toMatch(/^\?\[31mredx+$/);
    expect(container!.reason.length).toBe(512);
  });

  test.each<[string, object, RegExp]>([
    ['no address', { ip: 'reviews' }, /^ip: expected an IPv4 address of one host, got "reviews"/],
    ['an address of many', { ip: '224.0.0.1' }, /^ip: /],
    ['no address at all', { ip: '0.0.0.0' }, /^ip: /],
    ['addresses as a text', { addresses: '10.7.0.2' }, /^addresses: expected a list, got "10\.7\.0\.2"/],
    [
      'a name among addresses',
      { addresses: ['10.7.0.2', 'x'] },
      /^addresses\[1\]: expected an address of one host, got "x"/,
    ],
    ['a number among addresses', { addresses: [7] }, /^addresses\[0\]: .*got 7$/],
    ...['::', '::1', 'ff02::1', '0.0.0.0', '224.0.0.1', '10.0.0.0/8', ''].map((address): [string, object, RegExp] => [
      `${address} among addresses`,
      { addresses: [address] },
      /^addresses\[0\]: /,
    ]),
    [
      'too many addresses',
      { addresses: Array.from({ length: 17 }, (_, i) => `10.0.0.${i}`) },
      /^addresses: expected at most 16, got 17/,
    ],
    ['labels as a list', { labels: ['a'] }, /^labels: expected an object/],
    ['a label with a bad name', { labels: { 'a b': 'c' } }, /^labels\["a b"\]: expected the name of a label/],
    ['a label with a bad value', { labels: { app: 'a b' } }, /^labels\["app"\]: expected at most 63 letters/],
    ['a label that is a number', { labels: { app: 1 } }, /^labels\["app"\]: .*got 1$/],
    [
      'too many labels',
      { labels: Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`a${i}`, ''])) },
      /^labels: expected at most 64, got 65/,
    ],
    ['an account that is a path', { serviceAccount: '../admin' }, /^serviceAccount: /],
    ['a workload that is missing', { workload: undefined }, /^workload: .*got nothing$/],
    ['a role of its own', { role: 'king' }, /^role: expected one of sidecar, gateway, got "king"/],
    ['a node with a line break', { node: 'a\nb' }, /^node: /],
    ['no time', { startedAt: 'yesterday' }, /^startedAt: expected a time such as/],
    ['a time beyond years of four digits', { startedAt: '+012026-01-01T00:00:00Z' }, /^startedAt: /],
    ['an incarnation with spaces', { incarnation: 'a b' }, /^incarnation: /],
    ['no containers', { containers: [] }, /^containers: expected 1 to 32, got 0/],
    ['many containers', { containers: Array.from({ length: 33 }, () => app) }, /^containers: expected 1 to 32, got 33/],
    ['two containers of one name', { containers: [app, app] }, /^containers: two are named reviews/],
    ['a container that is a string', { containers: ['a'] }, /^containers\[0\]: expected an object, got "a"/],
    ['a container named anyhow', { containers: [proxy, { ...app, name: 'A' }] }, /^containers\[1\]\.name: /],
    [
      'readiness as a word',
      { containers: [{ ...app, ready: 'yes' }] },
      /^containers\[0\]\.ready: expected true or false/,
    ],
    [
      'a port beyond',
      { containers: [{ ...app, ports: [1, 65_536] }] },
      /^containers\[0\]\.ports\[1\]: expected a port/,
    ],
    ['a reason that is none', { containers: [{ ...app, ready: false, reason: {} }] }, /^containers\[0\]\.reason: /],
    ['an image with a tab', { containers: [{ ...app, image: 'a\tb' }] }, /^containers\[0\]\.image: /],
    ['an end that is a word', { terminating: 'soon' }, /^terminating: expected true or false, got "soon"/],
  ])('with %s is refused at the field', (_, over, message) => {
    expect(() => memberOf({ ...whole, ...over })).toThrow(message);
  });

  test.each([null, 1, 'text', []])('that is %j is none', (value) => {
    expect(() => memberOf(value)).toThrow('expected a registration as a JSON object');
  });

  test('is refused unread when it is large', () => {
    expect(() => readMember(Buffer.alloc(70_000, 'x'), 'application/json')).toThrow('larger than 65536 bytes');
  });

  test.each([
    'reviews',
    '.default',
    'reviews.',
    'Reviews.default',
    'a..default',
    `${'a'.repeat(254)}.default`,
    undefined,
  ])('of %j is refused: the name is no POD.NAMESPACE', (id) => {
    expect(() => memberName(id)).toThrow(/^pod: expected POD\.NAMESPACE/);
  });

  test('of a name with dots is of the namespace behind the last one', () => {
    expect(memberName('reviews-v1.5.default')).toEqual({ namespace: 'default', name: 'reviews-v1.5' });
  });
});
