import { describe, expect, test } from 'vitest';
import { parseTemplate, templateProblem } from './header-template.ts';

describe('header value templates', () => {
  test('text and operators come apart', () => {
    expect(parseTemplate('100%% of %REQ(X-User?:path):8%!')).toEqual([
      { kind: 'text', text: '100% of ' },
      { kind: 'operator', name: 'REQ', argument: 'X-User?:path', limit: 8 },
      { kind: 'text', text: '!' },
    ]);
    expect(parseTemplate('plain')).toEqual([{ kind: 'text', text: 'plain' }]);
    expect(parseTemplate('')).toEqual([]);
  });

  for (const [text, problem] of [
    ['100%', 'expected %NAME% or %% at "%"'],
    ['%no%', 'expected %NAME% or %%'],
    ['%NOPE%', 'expected an operator that is known, got %NOPE%'],
    ['%REQ%', 'expected a header name'],
    ['%REQ()%', 'expected a header name'],
    ['%PROTOCOL(x)%', 'without an argument'],
    ['%constructor%', 'expected %NAME%'],
  ] as const) {
    test(`${text} is refused: ${problem}`, () => expect(templateProblem(text)).toContain(problem));
  }
});
