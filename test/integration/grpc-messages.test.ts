/** gRPC calls over HTTP/1.1: their messages are counted, both ways, with the labels of who talked to whom. */
import assert from 'node:assert/strict';
import { test } from 'vitest';
import { createExposition, wholeText } from '#proxy/telemetry/prometheus.ts';
import { endpoint, exchange, rawOrigin, startProxy } from '../kit/proxy.ts';

const frame = (text: string): string => `\0\0\0\0${String.fromCharCode(text.length)}${text}`;
const post = (body: string, type: string): string =>
  `POST /pkg.Service/Method HTTP/1.1\r\nhost: x\r\ncontent-type: ${type}\r\ncontent-length: ${body.length}\r\n\r\n${body}`;

test('messages of gRPC calls are counted from and to the client; other bodies are not looked into', async () => {
  const answer = frame('one') + frame('two') + frame('');
  await using origin = await rawOrigin((socket) => {
    socket.on('data', () =>
      socket.write(
        `HTTP/1.1 200 OK\r\ncontent-type: application/grpc-web\r\ncontent-length: ${answer.length}\r\n\r\n${answer}`,
        'latin1',
      ),
    );
  });
  await using proxy = await startProxy({ endpoints: { origin: [endpoint(origin.port)] } });
  const body = frame('hello') + frame('again');
  await exchange(proxy.port, post(body, 'application/grpc-web+proto'), answer);
  await exchange(proxy.port, post(body, 'application/json'), answer);
  const page = await wholeText(createExposition(proxy.series, '1', false));
  const [asked, ...others] = page.match(/^istio_request_messages_total\{.*$/gm) ?? [];
  assert.match(asked!, /destination_service_name="origin",.*\} 2$/);
  assert.deepEqual(others, []);
  assert.equal(asked!.match(/="/g)!.length, 20);
  assert.match(page, /^istio_response_messages_total\{.*\} 3$/m);
});
