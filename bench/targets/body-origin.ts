/** An upstream for big bodies: GET /download gives HOST PORT BYTES bytes; a POST is read to its end before it is answered. */
import { createServer } from 'node:http';
import { BODY } from './origin-body.ts';

const [host = '127.0.0.1', port = '0', bytes = '1000000'] = process.argv.slice(2);
const big = Buffer.alloc(Number(bytes), 'x');

createServer((incoming, outgoing) => {
  incoming.resume();
  incoming.on('error', () => outgoing.destroy());
  incoming.on('end', () => {
    const answer = incoming.url === '/download' ? big : BODY;
    outgoing.writeHead(200, { 'content-length': answer.length, 'content-type': 'application/json' }).end(answer);
  });
}).listen({ host, port: Number(port) });
