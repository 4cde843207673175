import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { tablesOf } from './iptables-rules.ts';
import { settingsOf, type SettingName } from './iptables-settings.ts';
import { restoreText } from './iptables-state.ts';

const DEFAULTS: Record<SettingName, string> = {
  outboundPort: '15001',
  inboundPort: '15006',
  uids: '1337',
  gids: '',
  mode: 'REDIRECT',
  inboundPorts: '*',
  excludedInboundPorts: '15090,15021,15020',
  outboundRanges: '*',
  excludedOutboundRanges: '',
  excludedOutboundPorts: '',
  outboundPorts: '',
  virtualInterfaces: '',
  excludedInterfaces: '',
};

const rules = (
  changed: Partial<Record<SettingName, string>>,
  { family = 'IPv4', dns = false }: { family?: 'IPv4' | 'IPv6'; dns?: boolean } = {},
): string => {
  const given = Object.entries({ ...DEFAULTS, ...changed }).map(([name, text]) => [name, { text, from: name }]);
  return restoreText(tablesOf(settingsOf(Object.fromEntries(given), dns), family), {});
};

/** Lines of the rules that the defaults do not have, and the other way round. */
const difference = (...args: Parameters<typeof rules>): string[] => {
  const [before, after] = [rules({}, { family: args[1]?.family ?? 'IPv4' }), rules(...args)].map((t) => t.split('\n'));
  return [
    ...before!.filter((line) => !after!.includes(line)).map((line) => `- ${line}`),
    ...after!.filter((line) => !before!.includes(line)).map((line) => `+ ${line}`),
  ];
};

const DEFAULT_RULES = `*nat
:ISTIO_INBOUND - [0:0]
:ISTIO_REDIRECT - [0:0]
:ISTIO_IN_REDIRECT - [0:0]
:ISTIO_OUTPUT - [0:0]
-A ISTIO_REDIRECT -p tcp -j REDIRECT --to-ports 15001
-A ISTIO_IN_REDIRECT -p tcp -j REDIRECT --to-ports 15006
-A ISTIO_INBOUND -p tcp -m tcp --dport 15090 -j RETURN
-A ISTIO_INBOUND -p tcp -m tcp --dport 15021 -j RETURN
-A ISTIO_INBOUND -p tcp -m tcp --dport 15020 -j RETURN
-A ISTIO_INBOUND -p tcp -j ISTIO_IN_REDIRECT
-A ISTIO_OUTPUT -s 127.0.0.6/32 -o lo -j RETURN
-A ISTIO_OUTPUT ! -d 127.0.0.1/32 -o lo -m owner --uid-owner 1337 -j ISTIO_IN_REDIRECT
-A ISTIO_OUTPUT ! -d 127.0.0.1/32 -o lo -m owner --gid-owner 1337 -j ISTIO_IN_REDIRECT
-A ISTIO_OUTPUT -m owner --uid-owner 1337 -j RETURN
-A ISTIO_OUTPUT -m owner --gid-owner 1337 -j RETURN
-A ISTIO_OUTPUT -o lo -j RETURN
-A ISTIO_OUTPUT -d 127.0.0.1/32 -j RETURN
-A ISTIO_OUTPUT -j ISTIO_REDIRECT
-A PREROUTING -p tcp -j ISTIO_INBOUND
-A OUTPUT -p tcp -j ISTIO_OUTPUT
COMMIT
`;

describe('redirect rules', () => {
  test('as they are when nothing is said', () => assert.equal(rules({}), DEFAULT_RULES));

  test('of IPv6 are the same with its own addresses', () => {
    const expected = DEFAULT_RULES.replaceAll('127.0.0.1/32', '::1/128').replaceAll('127.0.0.6/32', '::6/128');
    assert.equal(rules({}, { family: 'IPv6' }), expected);
  });

  test.each([
    [
      'other ports of the proxy',
      { outboundPort: '1', inboundPort: '2' },
      [
        '- -A ISTIO_REDIRECT -p tcp -j REDIRECT --to-ports 15001',
        '- -A ISTIO_IN_REDIRECT -p tcp -j REDIRECT --to-ports 15006',
        '+ -A ISTIO_REDIRECT -p tcp -j REDIRECT --to-ports 1',
        '+ -A ISTIO_IN_REDIRECT -p tcp -j REDIRECT --to-ports 2',
      ],
    ],
    [
      'ranges are sorted by family, masked, and said once',
      { excludedOutboundRanges: '10.9.8.7/8, fd00:1::1/32,10.0.0.0/8,192.0.2.1' },
      ['+ -A ISTIO_OUTPUT -d 10.0.0.0/8 -j RETURN', '+ -A ISTIO_OUTPUT -d 192.0.2.1/32 -j RETURN'],
    ],
    [
      'chosen ranges: nothing else is redirected',
      { outboundRanges: '10.0.0.0/8' },
      ['- -A ISTIO_OUTPUT -j ISTIO_REDIRECT', '+ -A ISTIO_OUTPUT -d 10.0.0.0/8 -j ISTIO_REDIRECT'],
    ],
    ['a range that is everything is written as iptables does', { outboundRanges: '0.0.0.0/0' }, []],
    [
      'ranges of loopback that are asked for are redirected',
      { outboundRanges: '127.1.2.3/32' },
      [
        '- -A ISTIO_OUTPUT -o lo -j RETURN',
        '- -A ISTIO_OUTPUT -j ISTIO_REDIRECT',
        '+ -A ISTIO_OUTPUT -d 127.1.2.3/32 -j ISTIO_REDIRECT',
      ],
    ],
    [
      'no inbound port',
      { inboundPorts: '' },
      [
        '- -A ISTIO_INBOUND -p tcp -m tcp --dport 15090 -j RETURN',
        '- -A ISTIO_INBOUND -p tcp -m tcp --dport 15021 -j RETURN',
        '- -A ISTIO_INBOUND -p tcp -m tcp --dport 15020 -j RETURN',
        '- -A ISTIO_INBOUND -p tcp -j ISTIO_IN_REDIRECT',
        // But that of the proxy.
        '+ -A ISTIO_INBOUND -p tcp -m tcp --dport 15001 -j ISTIO_IN_REDIRECT',
      ],
    ],
    [
      'a virtual machine',
      { virtualInterfaces: 'vm0', outboundRanges: '10.0.0.0/8', excludedOutboundPorts: '22' },
      [
        '- -A ISTIO_OUTPUT -j ISTIO_REDIRECT',
        '+ -A ISTIO_INBOUND -i vm0 -p tcp -m tcp --dport 22 -j RETURN',
        '+ -A ISTIO_INBOUND -d 10.0.0.0/8 -i vm0 -j ISTIO_REDIRECT',
        '+ -A ISTIO_INBOUND -i vm0 -j RETURN',
        '+ -A ISTIO_OUTPUT -p tcp -m tcp --dport 22 -j RETURN',
        '+ -A ISTIO_OUTPUT -d 10.0.0.0/8 -j ISTIO_REDIRECT',
      ],
    ],
    [
      'interfaces',
      { excludedInterfaces: 'eth1,net+' },
      [
        '+ -A ISTIO_INBOUND -i eth1 -j RETURN',
        '+ -A ISTIO_INBOUND -i net+ -j RETURN',
        '+ -A ISTIO_OUTPUT -o eth1 -j RETURN',
        '+ -A ISTIO_OUTPUT -o net+ -j RETURN',
      ],
    ],
  ] as const)('%s', (_, changed, expected) => assert.deepEqual(difference(changed), expected));

  test('DNS has chains of its own, and TCP to port 53 is an exception everywhere', () => {
    const text = rules({ gids: '5' }, { dns: true });
    assert.match(text, /^\*raw\n[^*]*COMMIT\n\*nat\n[^*]*COMMIT\n$/);
    for (const line of [
      '-A ISTIO_OUTPUT -p udp -m udp --dport 53 -m owner --uid-owner 1337 -j CT --zone 1',
      '-A ISTIO_OUTPUT -p udp -m udp --sport 15053 -m owner --gid-owner 5 -j CT --zone 2',
      '-A ISTIO_PREROUTING -p udp -m udp --sport 53 -j CT --zone 1',
      '-A ISTIO_OUTPUT ! -d 127.0.0.1/32 -o lo -p tcp -m tcp ! --dport 53 -m owner --uid-owner 1337 -j ISTIO_IN_REDIRECT',
      '-A ISTIO_OUTPUT -o lo -p tcp -m tcp ! --dport 53 -j RETURN',
      '-A ISTIO_OUTPUT -p tcp -m tcp --dport 53 -j REDIRECT --to-ports 15053',
      '-A ISTIO_OUTPUT_DNS -p udp -j REDIRECT --to-ports 15053',
      // Before the rules by which Docker leads questions to its own resolver, which the proxy asks without a zone.
      '-I OUTPUT 1 -p udp -m udp --dport 53 -j ISTIO_OUTPUT_DNS',
      '-I OUTPUT 1 -p tcp -j ISTIO_OUTPUT',
      '-A ISTIO_OUTPUT -o lo -p udp -m udp --dport 53 -m owner --uid-owner 1337 -j RETURN',
    ])
      assert.ok(text.split('\n').includes(line), line);
  });
});
