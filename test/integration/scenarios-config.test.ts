import { globSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, expect, test } from 'vitest';
import { imagesFrom } from '#control-api/runner/image.ts';
import { parseText } from '#proxy/istio/parse.ts';

const FILES = globSync('config/bookinfo/*.yaml').sort();

describe('the configuration that is shipped', () => {
  for (const file of FILES) {
    test(`${basename(file)} has no problem and says what to see`, () => {
      const text = readFileSync(file, 'utf8');
      const { resources, problems } = parseText(text, { file, defaultNamespace: 'default' });
      expect(problems).toEqual([]);
      expect(resources.length).toBeGreaterThan(0);
      expect(text).toMatch(/^# /);
      if (!file.endsWith('/bookinfo.yaml')) expect(text).toMatch(/^# See[:,]/m);
    });
  }

  test('has every image of BookInfo in images.yaml, under each name it was ever published as', () => {
    const images = imagesFrom('config/images.yaml');
    const { resources } = parseText(readFileSync('config/bookinfo/bookinfo.yaml', 'utf8'), {
      defaultNamespace: 'default',
    });
    const deployed = resources
      .filter(({ kind }) => kind === 'Deployment')
      .map(
        ({ spec }) =>
          (spec as { template: { spec: { containers: { image: string }[] } } }).template.spec.containers[0]!.image,
      );
    expect(deployed).toHaveLength(6);
    for (const image of deployed) {
      const name = /examples-bookinfo-([\w-]+):/.exec(image)![1]!;
      const again = [
        `docker.io/istio/examples-bookinfo-${name}:1.20.1`,
        `istio/examples-bookinfo-${name}:1.8.0`,
        `registry.istio.io/release/examples-bookinfo-${name}@sha256:${'0'.repeat(64)}`,
        `lateen/bookinfo-${name}`,
      ];
      for (const alias of again) expect([alias, images.find(alias)]).toEqual([alias, images.find(image)]);
      expect(images.find(image)?.command).toEqual(['lateen', 'bookinfo', name.split('-')[0]]);
    }
    expect(images.find('docker.io/istio/examples-bookinfo-reviews-v1-other:1')).toBeNull();
  });
});
