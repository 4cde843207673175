/** The floor: bytes from one socket to the other in Node, nothing read. No HTTP proxy in Node can be cheaper. */
import { connect, createServer, type Socket } from 'node:net';
import { here, origin } from './arguments.ts';

createServer({ noDelay: true }, (downstream) => {
  const upstream = connect({ ...origin, noDelay: true });
  relay(downstream, upstream);
  relay(upstream, downstream);
}).listen(here);

function relay(from: Socket, to: Socket): void {
  from.on('data', (chunk: Buffer) => {
    if (to.write(chunk)) return;
    from.pause();
    to.once('drain', () => from.resume());
  });
  from.on('end', () => to.end());
  from.on('error', () => to.destroy());
}
