/** What reading a head costs, by its size: `node bench/micro/head-parse.bench.ts`. */
import { DEFAULT_LIMITS, findHeadEnd, parseRequestHead, parseResponseHead } from '../../proxy/wire/http1-head.ts';
import { compare } from './timing.ts';

const bytes = (...lines: readonly string[]): Buffer => Buffer.from([...lines, '', ''].join('\r\n'), 'latin1');

const SHORT = bytes('GET /reviews/0 HTTP/1.1', 'Host: reviews:9080');
const BROWSER = bytes(
  'GET /productpage?u=normal HTTP/1.1',
  'Host: bookinfo.example.com',
  'User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0',
  'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8',
  'Accept-Language: en-US,en;q=0.5',
  'Accept-Encoding: gzip, deflate, br',
  'Connection: keep-alive',
  'Cookie: session=eyJ1c2VyIjoiamFzb24ifQ.aabbccdd.0123456789abcdef0123456789abcdef',
  'x-request-id: 5a3f2370-cb6d-4798-8ce7-58a86fe8339b',
  'x-b3-traceid: 8d0098857a7aa7e8ead76feb7fae7021',
  'x-b3-spanid: ead76feb7fae7021',
  'x-b3-sampled: 0',
);
const MANY = bytes('GET / HTTP/1.1', 'Host: a', ...Array.from({ length: 90 }, (_, i) => `x-header-${i}: value ${i}`));
const ANSWER = bytes(
  'HTTP/1.1 200 OK',
  'Content-Type: application/json',
  'Content-Length: 400',
  'Date: Mon, 01 Jan 2024 00:00:00 GMT',
  'Server: gunicorn',
);

const read = (head: Buffer) => (): unknown => parseRequestHead(head, 0, findHeadEnd(head, 0, 0), DEFAULT_LIMITS);

compare('one head, found and parsed', {
  'request, 1 header': read(SHORT),
  'request of a browser, 11 headers': read(BROWSER),
  'request, 91 headers': read(MANY),
  'response, 4 headers': () => parseResponseHead(ANSWER, 0, findHeadEnd(ANSWER, 0, 0), DEFAULT_LIMITS),
});
