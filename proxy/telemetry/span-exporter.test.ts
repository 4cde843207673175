import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'vitest';
import { createSpanExporter } from './span-exporter.ts';
import type { SpanBatch } from './spans.ts';

const batch = (...names: string[]): SpanBatch => ({
  count: names.length,
  spans: { zipkin: new TextEncoder().encode(names.map((name) => JSON.stringify({ name })).join(',')), otlp: null },
});

/** A collector that answers as told, and remembers what it got. */
async function collector(answer: (response: ServerResponse) => void) {
  const posts: { request: IncomingMessage; names: string[] }[] = [];
  const waiting: (() => void)[] = [];
  const server = createServer((request, response) => {
    void request.toArray().then((chunks) => {
      const spans = JSON.parse(Buffer.concat(chunks as Buffer[]).toString()) as { name: string }[];
      posts.push({ request, names: spans.map(({ name }) => name) });
      for (const resolve of waiting.splice(0)) resolve();
      answer(response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    posts,
    /** Resolves when so many requests have come. */
    async until(n: number): Promise<void> {
      while (posts.length < n) await new Promise<void>((resolve) => waiting.push(resolve));
    },
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const accept = (response: ServerResponse): void => void response.writeHead(202).end();

describe('span exporter', () => {
  test('posts at once when enough spans wait, as a JSON list', async () => {
    await using zipkin = await collector(accept);
    const exporter = createSpanExporter({ collectors: [zipkin.url], flushSpans: 5, flushMs: 60_000 });
    exporter.push(batch('a', 'b'));
    exporter.push(batch('c', 'd', 'e'));
    await zipkin.until(1);
    assert.deepEqual(zipkin.posts[0]!.names, ['a', 'b', 'c', 'd', 'e']);
    assert.equal(zipkin.posts[0]!.request.url, '/api/v2/spans');
    assert.equal(zipkin.posts[0]!.request.headers['content-type'], 'application/json');
    await exporter.close();
    assert.deepEqual(exporter.stats(), [{ collector: zipkin.url, sent: 5, dropped: 0, waiting: 0 }]);
  });

  test('posts a few spans too, a while later', async () => {
    await using zipkin = await collector(accept);
    const exporter = createSpanExporter({ collectors: [zipkin.url], flushMs: 1 });
    exporter.push(batch('a'));
    await zipkin.until(1);
    assert.deepEqual(zipkin.posts[0]!.names, ['a']);
    await exporter.close();
  });

  test('posts to every collector', async () => {
    await using one = await collector(accept);
    await using two = await collector(accept);
    const exporter = createSpanExporter({ collectors: [one.url, `${two.url}/api/v2/spans`], flushSpans: 1 });
    exporter.push(batch('a'));
    await Promise.all([one.until(1), two.until(1)]);
    await exporter.close();
  });

  test('sends what waits when it is closed', async () => {
    await using zipkin = await collector(accept);
    const exporter = createSpanExporter({ collectors: [zipkin.url], flushSpans: 5, flushMs: 60_000 });
    exporter.push(batch('a'));
    await exporter.close();
    assert.deepEqual(
      zipkin.posts.map(({ names }) => names),
      [['a']],
    );
  });

  test('while a collector is slow, spans wait up to the limit, and those over it are counted', async () => {
    const held: ServerResponse[] = [];
    await using zipkin = await collector((response) => held.push(response));
    const exporter = createSpanExporter({ collectors: [zipkin.url], flushSpans: 1, limit: 200 });
    exporter.push(batch('first'));
    await zipkin.until(1);
    for (let i = 0; i < 100; i++) exporter.push(batch(`later-${i}`));
    const { dropped, waiting } = exporter.stats()[0]!;
    assert.ok(waiting > 0 && waiting < 20);
    assert.equal(dropped + waiting, 100);
    accept(held[0]!);
    await zipkin.until(2);
    assert.equal(zipkin.posts[1]!.names.length, waiting);
    accept(held[1]!);
    await exporter.close();
  });

  test('a collector that never answers is given up after the timeout', async () => {
    await using zipkin = await collector(() => {});
    const { promise, resolve } = Promise.withResolvers<string | null>();
    const exporter = createSpanExporter({
      collectors: [zipkin.url],
      flushSpans: 1,
      timeoutMs: 50,
      onState: (_, problem) => resolve(problem),
    });
    exporter.push(batch('a'));
    assert.match((await promise) ?? '', /time/i);
    assert.deepEqual(
      exporter.stats().map(({ dropped, sent }) => [dropped, sent]),
      [[1, 0]],
    );
    await exporter.close();
  });

  test('tells once that a collector fails, and once that it works again', async () => {
    let status = 500;
    await using zipkin = await collector((response) => void response.writeHead(status).end('x'.repeat(1000)));
    const states: (string | null)[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    const exporter = createSpanExporter({
      collectors: [zipkin.url],
      flushSpans: 1,
      flushMs: 1,
      onState: (_, problem) => {
        states.push(problem);
        if (problem === null) resolve();
      },
    });
    exporter.push(batch('a'));
    await zipkin.until(1);
    exporter.push(batch('b'));
    await zipkin.until(2);
    status = 202;
    exporter.push(batch('c'));
    await promise;
    assert.deepEqual(states, ['answered 500', null]);
    await exporter.close();
  });

  test('a collector that cannot be reached costs its spans and nothing else', async () => {
    const { promise, resolve } = Promise.withResolvers<string | null>();
    const exporter = createSpanExporter({
      collectors: ['http://127.0.0.1:1'],
      flushSpans: 1,
      onState: (_, problem) => resolve(problem),
    });
    exporter.push(batch('a', 'b'));
    assert.match((await promise) ?? '', /ECONNREFUSED/);
    await exporter.close();
    assert.equal(exporter.stats()[0]!.dropped, 2);
  });

  test('what is no URL is refused, with what was expected', () => {
    assert.throws(
      () => createSpanExporter({ collectors: ['zipkin:9411'] }),
      /expected an http or https URL .* got "zipkin:9411"/,
    );
  });
});
