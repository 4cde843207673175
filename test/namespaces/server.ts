/**
 * Says to whoever comes who it is, which port it was, and where the kernel says the connection wanted to go. A program for network
 * namespaces: `node server.ts NAME tcp:15001 udp:15053 …`; UDP on loopback only, as the answer must come from the address asked.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { loadOriginalDst } from '#proxy/listener/original-dst.ts';

const [name, ...places] = process.argv.slice(2);
const original = loadOriginalDst();
if (original === null) throw new Error('no way to ask for the original destination');

for (const place of places) {
  const [protocol, number] = place.split(':');
  const port = Number(number);
  if (protocol === 'tcp') {
    const server = createServer((socket) => {
      const wanted = original(socket);
      const from = socket.remoteAddress?.replace('::ffff:', '');
      socket.on('error', () => {});
      socket.end(
        `${name}:${port}${wanted === null ? '' : ` for ${wanted.address} ${wanted.port}`}${process.env['TELL_FROM'] === undefined ? '' : ` from ${from}`}`,
      );
    }).listen(port, '::');
    await once(server, 'listening');
    continue;
  }
  for (const address of (process.env['UDP_ADDRESSES'] ?? '127.0.0.1,::1').split(',')) {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    socket.on('message', (_, from) => socket.send(`${name}:${port}`, from.port, from.address));
    socket.bind(port, address);
    await once(socket, 'listening');
  }
}
process.stdout.write('ready\n');
