import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, test } from 'vitest';
import { CliError } from './cli-error.ts';
import { tablesOf } from './iptables-rules.ts';
import { cidrOf, settingsOf, type Given, type SettingName } from './iptables-settings.ts';
import { restoreText } from './iptables-state.ts';

const NAMES: readonly SettingName[] = [
  'outboundPort',
  'inboundPort',
  'uids',
  'gids',
  'mode',
  'inboundPorts',
  'excludedInboundPorts',
  'outboundRanges',
  'excludedOutboundRanges',
  'excludedOutboundPorts',
  'outboundPorts',
  'virtualInterfaces',
  'excludedInterfaces',
];
const RIGHT: Partial<Record<SettingName, string>> = {
  outboundPort: '15001',
  inboundPort: '15006',
  uids: '1337',
  mode: 'REDIRECT',
};
const given = (changed: Partial<Record<SettingName, string>>): Record<SettingName, Given> =>
  Object.fromEntries(
    NAMES.map((name) => [name, { text: changed[name] ?? RIGHT[name] ?? '', from: `--${name}` }]),
  ) as Record<SettingName, Given>;

describe('what is asked of lateen iptables', () => {
  test.each([
    ['outboundPort', '0'],
    ['outboundPort', '65536'],
    ['outboundPort', '*'],
    ['inboundPort', '15001'],
    ['uids', ''],
    ['uids', 'root'],
    ['uids', '-1'],
    ['uids', '4294967295'],
    ['gids', '0-9'],
    ['mode', 'TPROXY'],
    ['mode', 'NONE'],
    ['mode', 'redirect'],
    ['inboundPorts', '80,*'],
    ['inboundPorts', '80:90'],
    ['inboundPorts', '80\n-A OUTPUT -j DROP'],
    ['excludedInboundPorts', '*'],
    ['outboundRanges', '10.0.0.0/33'],
    ['outboundRanges', '10.0.0/8'],
    ['outboundRanges', '010.0.0.0/8'],
    ['outboundRanges', '*,10.0.0.0/8'],
    ['outboundRanges', 'fe80::1%eth0/64'],
    ['outboundRanges', 'example.com'],
    ['excludedOutboundRanges', '*'],
    ['excludedOutboundRanges', '2001:db8::/129'],
    ['virtualInterfaces', 'a-name-of-17-char'],
    ['virtualInterfaces', 'eth0 -j ACCEPT'],
    ['virtualInterfaces', '-j'],
    ['excludedInterfaces', '!eth0'],
    ['excludedInterfaces', 'eth0"'],
    ['excludedInterfaces', '$(reboot)'],
    ['excludedInterfaces', 'e/0'],
  ] as const)('%s refuses %j, and says so with exit code 2', (name, text) => {
    assert.throws(
      () => settingsOf(given({ [name]: text }), false),
      (error: unknown) =>
        error instanceof CliError &&
        error.exitCode === 2 &&
        error.message.startsWith(`--${name}: `) &&
        !error.message.includes('\n'),
    );
  });

  test('whatever is given, only rules come out', () => {
    const rule =
      /^(?:\*(?:nat|raw)|:[A-Z_]+ - \[0:0\]|(?:-A [A-Z_]+|-I [A-Z]+ 1)(?:(?: !)? (?:-[sdiopmj]|--[a-z-]+) [A-Za-z0-9_.:@/+-]+)+|COMMIT|)$/;
    const nasty = fc.string({
      unit: fc.constantFrom(
        '1',
        '80',
        ',',
        ' ',
        '\n',
        '\r',
        '-',
        '-A',
        'e',
        '"',
        "'",
        '/',
        '.',
        ':',
        '::',
        '*',
        '+',
        '\0',
        '\u2028',
        '!',
        'eth0',
        '10.0.0.0/8',
      ),
      maxLength: 8,
    });
    const name = fc.constantFrom(...NAMES.filter((n) => RIGHT[n] === undefined));
    let accepted = 0;
    fc.assert(
      fc.property(name, nasty, fc.boolean(), (which, text, dns) => {
        try {
          const settings = settingsOf(given({ [which]: text }), dns);
          accepted++;
          for (const family of ['IPv4', 'IPv6'] as const)
            for (const line of restoreText(tablesOf(settings, family), {}).split('\n')) assert.match(line, rule);
        } catch (error) {
          if (!(error instanceof CliError)) throw error;
        }
      }),
      { numRuns: 2000 },
    );
    assert.ok(accepted > 50, `${accepted} of them were right`);
  });

  test.each([
    ['10.1.2.3/8', '10.0.0.0/8'],
    ['10.1.2.3', '10.1.2.3/32'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['2001:DB8:0:0:1::1/64', '2001:db8::/64'],
    ['::1', '::1/128'],
    ['::ffff:10.0.0.0/104', '10.0.0.0/8'],
  ])('%s is %s', (text, expected) => assert.equal(cidrOf(text)?.text, expected));
});
