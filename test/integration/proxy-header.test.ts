/** The PROXY protocol at a gateway: whose header is believed, and what becomes of those who lie. */
import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { cluster, endpoint, exchange, rawOrigin, startProxy } from '../kit/proxy.ts';

const http = () =>
  rawOrigin((socket) => {
    socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nhttp'));
  });

describe('a PROXY header', () => {
  const GET = 'GET / HTTP/1.1\r\nhost: x\r\n\r\n';
  const V1 = 'PROXY TCP4 203.0.113.9 198.51.100.1 4711 443\r\n';

  async function ask(bytes: string, from: readonly string[]) {
    await using web = await http();
    await using proxy = await startProxy({
      clusters: [cluster('origin')],
      endpoints: { origin: [endpoint(web.port)] },
      listener: { direction: 'gateway' },
      limits: { proxyProtocolFrom: from },
    });
    const { text, ended } = await exchange(proxy.port, bytes, /http$|400/);
    const [line] = await proxy.log();
    return { status: text.slice(9, 12), ended, line: line! };
  }

  test('of a balancer that is trusted tells the client; where it was going is known better here', async () => {
    const { status, line } = await ask(V1 + GET, ['127.0.0.0/8']);
    assert.equal(status, '200');
    assert.equal(line['downstream_remote_address'], '203.0.113.9:4711');
    assert.match(String(line['downstream_local_address']), /^127\.0\.0\.1:/);
  });

  test('of anybody else is a bad request', async () => {
    const { status, line } = await ask(V1 + GET, ['10.0.0.0/8']);
    assert.equal(status, '400');
    assert.match(String(line['downstream_remote_address']), /^127\.0\.0\.1:/);
  });

  for (const [what, header] of [
    ['that is missing', ''],
    ['that lies about its length', 'PROXY TCP4 203.0.113.9 198.51.100.1 4711 443\n'],
    ['of addresses that are none', 'PROXY TCP4 203.0.113.999 198.51.100.1 4711 443\r\n'],
    ['of a family and an address of the other', 'PROXY TCP4 ::1 ::1 4711 443\r\n'],
  ] as const) {
    test(`${what} ends the connection of a trusted balancer`, async () => {
      const { ended, line } = await ask(header + GET, ['127.0.0.1']);
      assert.equal(ended, 'reset');
      assert.equal(line['response_flags'], 'DPE');
      assert.match(String(line['reason']), /PROXY header/);
    });
  }
});
