import { describe, expect, test } from 'vitest';
import { wantedOf } from './kind.ts';

const shown = (...words: string[]): string[] => wantedOf(words).map(({ info, name }) => `${info.kind}/${name ?? '*'}`);

describe('resources, as people name them', () => {
  test.each([
    [['vs'], ['VirtualService/*']],
    [['VirtualServices', 'reviews'], ['VirtualService/reviews']],
    [
      ['virtualservice.networking.istio.io/reviews', 'pod/x'],
      ['VirtualService/reviews', 'Pod/x'],
    ],
    [['po,svc'], ['Pod/*', 'Service/*']],
    [
      ['deploy', 'a', 'b'],
      ['Deployment/a', 'Deployment/b'],
    ],
  ])('%j is %j', (words, expected) => expect(shown(...words)).toEqual(expected));

  test('`all` is several kinds', () => expect(shown('all').length).toBeGreaterThan(2));

  test.each([
    [['virtualservce'], 'no resource type "virtualservce"'],
    [['pod', ''], 'the name of the pod is empty'],
    [['pod', '{"apiVersion":"v1","kind":"Pod"}'], 'is no name of a pod'],
    [['pod/a', 'b'], 'expected KIND/NAME'],
  ])('%j is refused', (words, problem) => expect(() => shown(...words)).toThrow(problem));

  test('a jsonpath without .metadata.name is explained', () => {
    expect(() => shown('pod', '{"apiVersion":"v1"}')).toThrow(
      expect.objectContaining({ hint: expect.stringContaining('.metadata.name') as string }) as Error,
    );
  });
});
