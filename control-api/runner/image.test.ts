import { describe, expect, test } from 'vitest';
import { findImage, parseImages } from './image.ts';

const YAML = `
images:
  - match: [docker.io/istio/reviews-v1, 'acme/*-api']
    command: [lateen, bookinfo, reviews]
    env: { ENABLE_RATINGS: false, N: 1 }
  - match: 'acme/pinned:2'
    command: [pinned]
`;

describe('the command of an image', () => {
  const entries = parseImages(YAML, 'images.yaml');
  for (const [image, command] of [
    ['docker.io/istio/reviews-v1', 'lateen'],
    ['docker.io/istio/reviews-v1:1.20.3', 'lateen'],
    ['docker.io/istio/reviews-v1@sha256:abc', 'lateen'],
    ['docker.io/istio/reviews-v1:1.2@sha256:abc', 'lateen'],
    ['acme/shop-api:7', 'lateen'],
    ['acme/shop/x-api', undefined],
    ['xdocker.io/istio/reviews-v1', undefined],
    ['acme/pinned:2', 'pinned'],
    ['acme/pinned:3', undefined],
    ['localhost:5000/acme/pinned', undefined],
  ] as const) {
    test(`${image} is ${command ?? 'unknown'}`, () => expect(findImage(entries, image)?.command[0]).toBe(command));
  }

  test('comes with its environment, as text', () =>
    expect(findImage(entries, 'acme/a-api')?.env).toEqual({ ENABLE_RATINGS: 'false', N: '1' }));

  for (const [what, yaml, problem] of [
    ['no list', 'images: 3', 'f.yaml: images: expected a list'],
    ['no command', 'images: [{ match: a }]', 'f.yaml: images[0].command: expected a list of words'],
    ['no match', 'images: [{ command: [a] }]', 'f.yaml: images[0].match: expected image names'],
  ] as const) {
    test(`${what} is refused, naming the place`, () => expect(() => parseImages(yaml, 'f.yaml')).toThrow(problem));
  }

  test('an empty file knows no image', () => expect(parseImages('', 'f.yaml')).toEqual([]));
});
