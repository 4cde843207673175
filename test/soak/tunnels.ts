/** WebSocket-like tunnels that stay open over every change of configuration: what goes in comes back, byte for byte. */
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';

const HEAD_END = '\r\n\r\n';

/**
 * One tunnel for `lifeMs`, or until the soak is over, with something said every `everyMs`; null when all went well, else what did not. The bytes may be of any
 * protocol: the proxy must not look into them.
 */
export function tunnel(
  host: string,
  port: number,
  id: string,
  lifeMs: number,
  everyMs: number,
  isOver: () => boolean,
): Promise<string | null> {
  const { promise, resolve } = Promise.withResolvers<string | null>();
  const socket = connect({ host, port, noDelay: true });
  let head = '';
  let open = false;
  let sent = Buffer.alloc(0);
  let over = false;
  let waitingSince = performance.now();
  const finish = (wrong: string | null): void => {
    if (over) return;
    over = true;
    clearInterval(talk);
    clearTimeout(life);
    socket.destroy();
    resolve(wrong);
  };
  const life = setTimeout(() => finish(open ? null : 'a tunnel that did not open'), lifeMs);
  const talk = setInterval(() => {
    if (isOver() && sent.length === 0) return finish(null);
    if (!open) return;
    if (sent.length > 0) {
      if (performance.now() - waitingSince > 15_000) finish(`${sent.length} bytes did not come back in 15 s`);
      return;
    }
    sent = randomBytes(1 + Math.floor(Math.random() * 4000));
    waitingSince = performance.now();
    socket.write(sent);
  }, everyMs);
  socket.write(
    `GET /ws HTTP/1.1\r\nHost: shop.soak\r\nx-id: ${id}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
  );
  socket.on('data', (bytes: Buffer) => {
    let rest = bytes;
    if (!open) {
      head += bytes.latin1Slice();
      const end = head.indexOf(HEAD_END);
      if (end < 0) return;
      // The proxy protects itself: another try, later.
      if (/^HTTP\/1\.1 503 [^]*\r\nx-envoy-overloaded: true\r\n/.test(head)) return finish(null);
      if (!head.startsWith('HTTP/1.1 101 ')) return finish(`no 101: ${head.slice(0, 200)}`);
      open = true;
      rest = Buffer.from(head.slice(end + HEAD_END.length), 'latin1');
    }
    if (rest.length > sent.length || sent.compare(rest, 0, rest.length, 0, rest.length) !== 0)
      return finish('other bytes came back');
    sent = sent.subarray(rest.length);
  });
  socket.on('error', (error) => finish(`cut: ${error.message}`));
  socket.on('close', () => finish('cut'));
  return promise;
}
