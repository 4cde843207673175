/** What dies in the mesh of docker-compose.yml takes only what depends on it along, and heals when it is back, with nothing else restarted. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startComposeMesh, type ComposeMesh } from '../kit/compose-mesh.ts';
import { docker, dockerReason } from '../kit/docker.ts';
import { KUBECTL } from '../kit/kubectl.ts';
import type { LoadOptions } from '../kit/load.ts';
import type { Page } from '../kit/page.ts';
import { lines, tally, until } from '../kit/traffic-scenarios.ts';

const why = KUBECTL === null ? 'kubectl is not installed' : dockerReason();
const NO_REVIEWS = 'Be the first one to review this book!';

describe.skipIf(why !== null)(`what dies in containers${why === null ? '' : ` (left out: ${why})`}`, () => {
  let mesh: ComposeMesh;

  beforeAll(async () => {
    mesh = await startComposeMesh('lt-failures', {
      env: {
        COMPOSE_PROFILES: 'database,tracing,metrics',
        LATEEN_ZIPKIN: 'http://zipkin:9411',
        MYSQL_DB_HOST: 'book-database.example.com',
      },
    });
  });
  afterAll(() => mesh?.[Symbol.asyncDispose]());

  test('an application: the page says what it misses; started again, it serves again', async () => {
    await alone(['details-v1'], async () => {
      await kill('details-v1');
      const page = await mesh.page();
      expect([page.status, page.errors]).toEqual([200, ['Error fetching product details']]);
      expect(tally(await mesh.pages(3))).toEqual(ALL_COLOURS);
      await until(async () => /^details-v1 +1\/2 /.test(await podLine('details-v1')));
      await start('details-v1');
      await mesh.whole();
      expect(tally(await whole(3))).toEqual(ALL_COLOURS);
    });
  });

  test('an application that crashes is started by Docker, and one of three versions is missed by nobody', async () => {
    await alone(['reviews-v2'], async () => {
      await using load = mesh.load(ALWAYS_A_PAGE);
      await crash('reviews-v2');
      await until(async () => (await mesh.inspect('reviews-v2')).RestartCount === 1);
      await until(async () => {
        const pages = await mesh.pages(6);
        return pages.every(isWhole) && Object.keys(tally(pages)).length === 3;
      });
      expect((await load.stop()).failed).toEqual([]);
    });
  });

  test('a sidecar: its pod gets no traffic, and pages do not miss it', async () => {
    await alone(['reviews-v3-sidecar'], async () => {
      await using load = mesh.load(ALWAYS_A_PAGE);
      await kill('reviews-v3-sidecar');
      await until(async () => /^reviews-v3 +[01]\/2 /.test(await podLine('reviews-v3')));
      await mesh.settled('reviews-v3');
      for (const page of await whole(6)) expect(page.colour).not.toBe('red');
      await start('reviews-v3-sidecar');
      await mesh.whole();
      await seen('none', 'black', 'red');
      expect((await load.stop()).failed).toEqual([]);
    });
  });

  test('what holds the network of a pod: the others go on; the members follow it into the new one by themselves', async () => {
    await alone(['reviews-v2-pod', 'reviews-v2', 'reviews-v2-sidecar'], async () => {
      await kill('reviews-v2-pod');
      await until(async () => /^reviews-v2 +0\/2 /.test(await podLine('reviews-v2')));
      await mesh.settled('reviews-v2');
      expect(tally(await whole(4))).toEqual({ none: 2, red: 2 });
      await start('reviews-v2-pod');
      await until(async () => (await mesh.inspect('reviews-v2-sidecar')).RestartCount > 0);
      await mesh.whole();
      await seen('none', 'black', 'red');
      const said = 'the pod has another network, which this process is no part of';
      await until(async () => (await mesh.logs('reviews-v2')).includes(said));
    });
  });

  test('the control API: pages go on, also of a sidecar that is started meanwhile; it learns everything anew when it is back', async () => {
    await alone(['control', 'reviews-v1-sidecar'], async () => {
      await mesh.kubectl('apply', '-f', 'config/bookinfo/destination-rule-all.yaml');
      await mesh.kubectl('apply', '-f', 'config/bookinfo/virtual-service-reviews-v3.yaml');
      await mesh.settled();
      await using load = mesh.load(WHOLE);
      await kill('control');
      expect((await mesh.lateen('status')).code).not.toBe(0);
      await docker(['restart', await mesh.project.container('reviews-v1-sidecar')]);
      await until(async () =>
        /running on the configuration of the last run/.test(await mesh.logs('reviews-v1-sidecar')),
      );
      expect(tally(await whole(6))).toEqual({ red: 6 });
      await start('control');
      await mesh.whole();
      // What was applied is still there, and what is applied now arrives.
      await mesh.kubectl('delete', '-f', 'config/bookinfo/virtual-service-reviews-v3.yaml');
      await mesh.settled();
      await seen('none', 'black', 'red');
      expect((await load.stop()).failed).toEqual([]);
    });
  });

  test('the gateway: nobody gets in until it is back; inside, calls go on', async () => {
    await alone(['gateway'], async () => {
      await kill('gateway');
      await expect(mesh.page()).rejects.toThrow();
      const inside = await mesh.exec('ratings-v1', 'curl', '-sS', 'productpage:9080/productpage');
      expect(inside).toContain('<title>Simple Bookstore App</title>');
      await until(async () => /^gateway +0\/1 /.test(await podLine('gateway', '-n', 'istio-system')));
      await start('gateway');
      await mesh.whole();
      await whole(3);
    });
  });

  test('Zipkin and Prometheus: no page misses them; they have new data once they are back', async () => {
    await alone(['zipkin', 'prometheus'], async () => {
      await using load = mesh.load(WHOLE);
      await kill('zipkin');
      await kill('prometheus');
      await whole(5);
      await start('zipkin');
      await start('prometheus');
      await until(
        async () => (await json<string[]>(`${mesh.zipkin}/api/v2/services`))?.includes('ratings.default') === true,
      );
      type Up = { readonly data: { readonly result: readonly { readonly value: readonly [number, string] }[] } };
      const up = `${mesh.prometheus}/api/v1/query?query=${encodeURIComponent('count(up{job="lateen-proxies"} == 1)')}`;
      await until(async () => (await json<Up>(up))?.data.result[0]?.value[1] === '7');
      expect((await load.stop()).failed).toEqual([]);
    });
  });

  test('the database: pages are 200 and say what they miss; when it is back, so is the data', async () => {
    await alone(['mysql'], async () => {
      await whole(3);
      await kill('mysql');
      for (const page of await mesh.pages(3)) {
        expect([page.status, page.body.includes(NO_REVIEWS)]).toEqual([200, true]);
        expect(page.errors).toEqual(['Error fetching product details']);
      }
      await start('mysql');
      await until(async () => (await mesh.pages(3)).every(isWhole));
    });
  });

  test('docker compose down -v leaves no container, network or volume behind', async () => {
    const left = async (): Promise<string[]> =>
      (
        await Promise.all(
          [
            ['ps', '--all'],
            ['network', 'ls'],
            ['volume', 'ls'],
          ].map((list) => docker([...list, '--quiet', '--filter', 'label=com.docker.compose.project=lt-failures'])),
        )
      ).flatMap(lines);
    expect((await left()).length).toBeGreaterThan(20);
    await mesh.compose(['down', '--volumes', '--timeout', '2']);
    expect(await left()).toEqual([]);
  });

  /** Only these may be started anew by what is done. */
  const alone = async (services: readonly string[], done: () => Promise<void>): Promise<void> => {
    const before = await startedAt();
    await done();
    const after = await startedAt();
    expect(
      [...after]
        .filter(([name, at]) => before.get(name) !== at)
        .map(([name]) => name)
        .sort(),
    ).toEqual([...services].sort());
  };
  const startedAt = async (): Promise<Map<string, string>> => {
    const ids = lines(await docker(['ps', '--quiet', '--filter', 'label=com.docker.compose.project=lt-failures']));
    const format = '{{index .Config.Labels "com.docker.compose.service"}} {{.State.StartedAt}}';
    const rows = lines(await docker(['inspect', '--format', format, ...ids]));
    return new Map(rows.map((row) => row.split(' ') as [string, string]));
  };

  const kill = async (service: string): Promise<string> => docker(['kill', await mesh.project.container(service)]);
  const start = async (service: string): Promise<string> => docker(['start', await mesh.project.container(service)]);
  /** Not by Docker: so it is started again by `restart: unless-stopped`. */
  const crash = async (service: string): Promise<void> => {
    const pid = await docker(['inspect', '--format', '{{.State.Pid}}', await mesh.project.container(service)]);
    process.kill(Number(pid), 'SIGKILL');
  };
  const podLine = (name: string, ...more: readonly string[]): Promise<string> =>
    mesh.kubectl('get', 'pod', name, '--no-headers', ...more);

  /** So many pages, each of which must be whole. */
  const whole = async (count: number): Promise<Page[]> => {
    const pages = await mesh.pages(count);
    expect(pages.filter((page) => !isWhole(page)).map(missing)).toEqual([]);
    return pages;
  };
  /** Pages, all whole, until each of these has come. */
  const seen = async (...colours: readonly Page['colour'][]): Promise<void> => {
    const missed = new Set(colours);
    await until(async () => missed.delete((await whole(1))[0]!.colour) && missed.size === 0);
  };
});

const ALL_COLOURS = { none: 1, black: 1, red: 1 };
/** What is wrong with a page, short. */
const missing = ({ status, errors, body }: Page): string =>
  [status, ...errors, ...['272 pages', 'John Doe', '</html>'].filter((mark) => !body.includes(mark))].join(', ');
const isWhole = ({ status, errors, body }: Page): boolean =>
  status === 200 && errors.length === 0 && body.includes('272 pages') && body.includes('John Doe');
const WHOLE: LoadOptions = { fine: isWhole };
/** A request under way at what dies may be lost; the page is there even so. */
const ALWAYS_A_PAGE: LoadOptions = { fine: ({ status, body }) => status === 200 && body.endsWith('</html>\n') };

/** Null while nobody answers. */
async function json<T>(url: string): Promise<T | null> {
  try {
    const answer = await fetch(url);
    return answer.ok ? ((await answer.json()) as T) : null;
  } catch {
    return null;
  }
}
