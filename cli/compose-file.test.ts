import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { BOOKINFO, made, shop, withFields, type Made, type Seen } from './compose.kit.ts';
import { composeText } from './compose-file.ts';

describe('as text', () => {
  const text = (m: Made): string => composeText(m.file, ['Made', '', 'here.']);

  test('it reads as what it is, with its anchors filled in', () => {
    const pod = made(BOOKINFO, 2, 'productpage-v1');
    const read = parse(text(pod), { merge: true, maxAliasCount: -1 }) as { services: Seen };
    expect(read.services).toEqual(pod.services);
    expect(text(pod)).toMatch(/^# Made\n#\n# here\.\n/);
  });

  test('texts that some YAML takes for something else stay texts, in 1.1 as in 1.2', () => {
    const odd = [
      'yes',
      'off',
      'Null',
      '~',
      '1e3',
      '0o17',
      '010',
      '12:30:45',
      '2026-01-01',
      'a: b',
      'a #b',
      '',
      ' ',
      '=',
      '<<',
      '.inf',
      '*x',
      '!t',
      'x:',
      'two\nlines',
    ];
    const env = odd
      .map((value, i) => `{ name: "${i === 0 ? '<<' : `V${i}`}", value: ${JSON.stringify(value)} }`)
      .join(', ');
    const shown = text(shop(withFields(`env: [${env}]`)));
    for (const version of ['1.1', '1.2'] as const) {
      const { services } = parse(shown, { version, merge: true, maxAliasCount: -1 }) as { services: Seen };
      expect(Object.values(services['shop']!['environment'] as object), version).toEqual(odd);
    }
  });
});
