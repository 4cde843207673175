/** Steps of the scenarios that are the same wherever BookInfo's mesh runs: routes, access control and faults, steered by kubectl. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { LoadOptions } from './load.ts';
import type { Page } from './page.ts';
import { run, type Steered } from './steer.ts';

/** Of one mesh, which is there once the tests run. */
export type Steps = {
  readonly mesh: () => Steered;
  /** `kubectl apply` of a file of config/bookinfo; what kubectl says about each object, back when every proxy has it. */
  readonly apply: (name: string) => Promise<string[]>;
  /** Runs `change` while pages are loaded without pause; not one of them may fail, nor any request at a hop behind them. */
  readonly underLoad: (change: () => Promise<unknown>, options?: LoadOptions) => Promise<void>;
  /** Milliseconds from kubectl's end until every proxy had it, of each change so far. */
  readonly took: number[];
};

export function stepsIn(mesh: () => Steered): Steps {
  const took: number[] = [];
  return {
    mesh,
    took,
    apply: async (name) => {
      const said = await mesh().kubectl('apply', '-f', `config/bookinfo/${name}.yaml`);
      took.push(await mesh().settled());
      return lines(said);
    },
    underLoad: async (change, options) => {
      const before = await mesh().failures();
      await using load = mesh().load(options);
      await until(() => load.requests() > 4);
      await change();
      const sofar = load.requests();
      await until(() => load.requests() > sofar + 4);
      const { requests, failed } = await load.stop();
      expect(failed).toEqual([]);
      const hops = [...(await mesh().failures())].filter(([pod, count]) => count > (before.get(pod) ?? 0));
      expect(hops).toEqual([]);
      expect(requests).toBeGreaterThan(8);
    },
  };
}

/**
 * A2–A8 and I5, on BookInfo with its gateway and no rule. `ratingsLog`: what the application ratings has logged so far.
 * `brief`: of what is said in several ways, the first.
 */
export function routingScenarios(
  { mesh, apply, underLoad, took }: Steps,
  ratingsLog: () => Promise<string>,
  { brief = false }: { readonly brief?: boolean } = {},
): void {
  const ratingsRequests = async (): Promise<number> =>
    lines(await ratingsLog()).filter((line) => line.includes('"/ratings/')).length;

  test('A2, I3: the gateway opens the listed paths, and those alone', async () => {
    const statuses = ['/productpage', '/static/bookinfo.css', '/api/v1/products', '/api/v1/products/0/reviews'].map(
      statusOf,
    );
    expect(await Promise.all(statuses)).toEqual([200, 200, 200, 200]);
    expect(await Promise.all(['/', '/details/0', '/productpage/x', '/health', '/metrics'].map(statusOf))).toEqual([
      404, 404, 404, 404, 404,
    ]);
    const [page] = await mesh().pages(1);
    expect(page!.body).toContain('<title>Simple Bookstore App</title>');
  });

  test('A3: without a rule, the three versions of reviews take turns', async () => {
    const pages = await mesh().pages(30);
    expect(tally(pages)).toEqual({ none: 10, black: 10, red: 10 });
    expect(pages.every(({ errors }) => errors.length === 0)).toBe(true);
  });

  test('A4: a rule that names a subset nobody defined warns, and pages say what they miss', async () => {
    const rules = 'config/bookinfo/virtual-service-all-v1.yaml';
    const applied = await mesh().tryKubectl(['apply', '-f', rules]);
    await mesh().settled();
    const before = await mesh().failures();
    const page = await mesh().page();
    const after = await mesh().failures();
    await mesh().kubectl('delete', '-f', rules);
    await mesh().settled();
    expect([page.status, page.errors]).toEqual([
      200,
      ['Error fetching product details', 'Error fetching product reviews'],
    ]);
    // Details once, reviews twice.
    expect([...after].map(([pod, count]) => count - before.get(pod)!).filter((more) => more > 0)).toEqual([3]);
    expect((await mesh().page()).errors).toEqual([]);
    expect([applied.code, applied.stderr]).toEqual([0, expect.stringMatching(/Warning: .*IST0101/)]);
  });

  test('A4, I4: subsets, then everything to v1: no stars, and ratings is left alone', async () => {
    await underLoad(async () => {
      expect(await apply('destination-rule-all')).toEqual(
        ['productpage', 'reviews', 'ratings', 'details'].map(
          (name) => `destinationrule.networking.istio.io/${name} created`,
        ),
      );
      expect(await apply('virtual-service-all-v1')).toEqual(
        ['productpage', 'reviews', 'ratings', 'details'].map(
          (name) => `virtualservice.networking.istio.io/${name} created`,
        ),
      );
    });
    const before = await ratingsRequests();
    expect(tally(await mesh().pages(100))).toEqual({ none: 100 });
    expect(await ratingsRequests()).toBe(before);
  });

  test('I3: analyze finds nothing wrong, and the gateway is a Service with an address', async () => {
    const { code, stdout } = await run('./lateen', ['analyze', '--server', mesh().control]);
    expect([code, stdout.trim()]).toEqual([0, '✔ No validation issues found when analyzing namespace: default.']);
    const service = ['-n', 'istio-system', 'get', 'service', 'istio-ingressgateway', '-o'];
    expect(await mesh().kubectl(...service, 'jsonpath={.status.loadBalancer.ingress[0].ip}')).toBe('127.0.0.1');
  });

  test('A5: jason gets v2, and only who has signed in as jason', async () => {
    await underLoad(() => apply('virtual-service-reviews-test-v2'));
    expect(tally(await mesh().pages(20, 'jason'))).toEqual({ black: 20 });
    expect(tally(await mesh().pages(10))).toEqual({ none: 10 });
    expect(tally(await mesh().pages(10, 'other'))).toEqual({ none: 10 });
    const forged = await fetch(`${mesh().gateway}/productpage`, { headers: { 'end-user': 'jason' } });
    expect(await forged.text()).not.toContain('glyphicon-star');
  });

  for (const [name, shares] of [
    ['virtual-service-reviews-50-v3', { none: 50, red: 50 }],
    ['virtual-service-reviews-80-20', { none: 80, black: 20 }],
    ['virtual-service-reviews-90-10', { none: 90, black: 10 }],
    ['virtual-service-reviews-v2-v3', { black: 50, red: 50 }],
  ] as const) {
    if (brief && name !== 'virtual-service-reviews-50-v3') continue;
    test(`A6: ${name} splits to within one page of a hundred`, async () => {
      await underLoad(() => apply(name));
      const got = tally(await mesh().pages(100));
      expect(Object.keys(got).sort()).toEqual(Object.keys(shares).sort());
      for (const [colour, share] of Object.entries(shares))
        expect(Math.abs((got[colour] ?? 0) - share)).toBeLessThanOrEqual(1);
    });
  }

  test('A6: an apply that overwrites the rule for jason warns of it', async () => {
    await apply('virtual-service-reviews-test-v2');
    const { stderr } = await mesh().tryKubectl(['apply', '-f', 'config/bookinfo/virtual-service-reviews-50-v3.yaml']);
    expect(stderr).toMatch(/Warning: this replaces VirtualService default\/reviews.* "jason"/);
  });

  test('A6: v2 for jason and half v1, half v3 for the others, at the same time', async () => {
    await underLoad(() => apply('seed-jason-v2-others-50-50'));
    expect(tally(await mesh().pages(20, 'jason'))).toEqual({ black: 20 });
    const { red = 0, none = 0, ...rest } = tally(await mesh().pages(100));
    expect([rest, Math.abs(red - none) <= 2]).toEqual([{}, true]);
  });

  test('A7: everything to v3', async () => {
    await underLoad(() => apply('virtual-service-reviews-v3'));
    expect(tally(await mesh().pages(100))).toEqual({ red: 100 });
  });

  for (const form of ['mixer-rule-deny-label', ...(brief ? [] : ['authorization-policy-deny-label'])]) {
    test(`A8: reviews v3 is denied the way to ratings by ${form}, v2 is not`, async () => {
      await underLoad(async () => {
        await apply('virtual-service-all-v1');
        await apply('virtual-service-reviews-jason-v2-v3');
      });
      expect(tally(await mesh().pages(5))).toEqual({ red: 5 });
      const served = await ratingsRequests();
      await underLoad(() => apply(form), {
        fine: ({ status, errors }) => status === 200 && !errors.some((e) => e.startsWith('Error')),
      });
      const atDenial = await ratingsRequests();
      expect(atDenial).toBeGreaterThanOrEqual(served);
      for (const page of await mesh().pages(10)) {
        expect([page.status, page.stars]).toEqual([200, 0]);
        expect(page.errors).toEqual([
          'Ratings service is currently unavailable',
          'Ratings service is currently unavailable',
        ]);
      }
      expect(await ratingsRequests()).toBe(atDenial);
      expect(tally(await mesh().pages(10, 'jason'))).toEqual({ black: 10 });
      expect(await deniedAtRatings()).toBeGreaterThanOrEqual(10);
      await mesh().kubectl('delete', '-f', `config/bookinfo/${form}.yaml`);
      took.push(await mesh().settled());
      await underLoad(async () => expect(tally(await mesh().pages(10))).toEqual({ red: 10 }));
    });
  }

  test('I5: editing one rule of four configures that one, and nothing restarts', async () => {
    await apply('virtual-service-all-v1');
    const pods = await mesh().kubectl('get', 'pods', '--no-headers');
    const edited = readFileSync('config/bookinfo/virtual-service-all-v1.yaml', 'utf8').replace(
      'host: reviews, subset: v1',
      'host: reviews, subset: v3',
    );
    await underLoad(async () => {
      const { stdout } = await mesh().tryKubectl(['apply', '-f', '-'], edited);
      expect(lines(stdout)).toEqual([
        'virtualservice.networking.istio.io/productpage unchanged',
        'virtualservice.networking.istio.io/reviews configured',
        'virtualservice.networking.istio.io/ratings unchanged',
        'virtualservice.networking.istio.io/details unchanged',
      ]);
      await mesh().settled();
    });
    expect(tally(await mesh().pages(20))).toEqual({ red: 20 });
    const columns = (text: string): string[] => lines(text).map((line) => line.split(/\s+/).slice(0, 4).join(' '));
    expect(columns(await mesh().kubectl('get', 'pods', '--no-headers'))).toEqual(columns(pods));
  });

  const statusOf = async (path: string): Promise<number> => (await fetch(mesh().gateway + path)).status;

  /** Requests of reviews v3 that the sidecar of ratings has refused. */
  const deniedAtRatings = async (): Promise<number> => {
    const ip = await mesh().kubectl('get', 'pod', '-l', 'app=ratings', '-o', 'jsonpath={.items[0].status.podIP}');
    const metrics = await (await fetch(`http://${ip}:15090/stats/prometheus`)).text();
    return metrics
      .split('\n')
      .filter(
        (line) =>
          line.startsWith('istio_requests_total{') &&
          ['source_app="reviews"', 'source_version="v3"', 'response_code="403"'].every((l) => line.includes(l)),
      )
      .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
  };
}

/** One has to wait for the 6 s of BookInfo's own bug. */
export function faultScenarios({ mesh, apply, underLoad }: Steps): void {
  test('fault injection: a delay of 7 s shows the bug of 6 s, to jason alone', async () => {
    await apply('virtual-service-all-v1');
    await apply('virtual-service-reviews-test-v2');
    await apply('virtual-service-ratings-test-delay');
    const [late, soon] = await Promise.all([mesh().page('jason'), mesh().page()]);
    expect(late.errors).toEqual(['Error fetching product reviews']);
    expect(late.body).toContain('Sorry, product reviews are currently unavailable for this book.');
    expect(late.ms).toBeGreaterThan(5_900);
    expect(late.ms).toBeLessThan(8_000);
    expect([soon.errors, soon.ms < 2_000]).toEqual([[], true]);
  });

  test('fault injection: an abort shows at once, to jason alone', async () => {
    await underLoad(() => apply('virtual-service-ratings-test-abort'));
    const page = await mesh().page('jason');
    expect(page.errors).toEqual([
      'Ratings service is currently unavailable',
      'Ratings service is currently unavailable',
    ]);
    expect(page.ms).toBeLessThan(2_000);
    expect((await mesh().page()).errors).toEqual([]);
  });
}

/** B7: the end of all rules, and how long changes took until then. */
export function endScenarios({ mesh, apply, underLoad, took }: Steps): void {
  test('applying what is in force already changes nothing', async () => {
    expect((await apply('bookinfo-gateway')).every((line) => line.endsWith(' unchanged'))).toBe(true);
    expect((await apply('destination-rule-all')).every((line) => line.endsWith(' unchanged'))).toBe(true);
  });

  test('B7: taking all rules away leads back to taking turns, without a failed page', async () => {
    await underLoad(async () => {
      await mesh().kubectl('delete', 'virtualservices', 'reviews', 'ratings', 'details', 'productpage');
      await mesh().kubectl('delete', 'destinationrules', '--all');
      await mesh().settled();
    });
    expect(tally(await mesh().pages(30))).toEqual({ none: 10, black: 10, red: 10 });
  });

  test('a change is in force within a second', () => {
    expect(took.length).toBeGreaterThan(10);
    expect(took.sort((a, b) => a - b)[Math.floor(took.length / 2)]).toBeLessThan(1_000);
  });
}

export const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '');

export function tally(pages: readonly Page[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { colour } of pages) counts[colour] = (counts[colour] ?? 0) + 1;
  return counts;
}

/** Vitest's own limit ends it when that never comes. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 20));
}
