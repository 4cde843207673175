import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { describe, test } from 'vitest';
import { loadOriginalDst } from './original-dst.ts';

// What it says of connections that are redirected: test/namespaces/.
describe.skipIf(process.platform !== 'linux')('the original destination', () => {
  test.each(['127.0.0.1', '::'])(
    'is none on %s when nothing was redirected, nor when the connection is gone',
    async (address) => {
      const original = loadOriginalDst();
      assert.ok(original);
      const server = createServer().listen(0, address);
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      const accepted = once(server, 'connection') as Promise<[Socket]>;
      const client = connect(port, '127.0.0.1');
      const [socket] = await accepted;
      assert.equal(original(socket), null);
      socket.destroy();
      assert.equal(original(socket), null);
      client.destroy();
      server.close();
    },
  );

  test('is asked for by functions that are loaded once', () => assert.equal(loadOriginalDst(), loadOriginalDst()));
});
