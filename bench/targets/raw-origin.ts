/** The upstream where nginx is missing: one ready-made answer for every request head, straight from the socket. */
import { createServer } from 'node:net';
import { BODY } from './origin-body.ts';

const [host = '127.0.0.1', port = '0'] = process.argv.slice(2);
const ANSWER = Buffer.from(
  `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${BODY.length}\r\nDate: ${new Date().toUTCString()}\r\n\r\n${BODY}`,
);
const HEAD_END = '\r\n\r\n';

createServer({ noDelay: true }, (socket) => {
  let rest = '';
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk: Buffer) => {
    rest += chunk.toString('latin1');
    for (let end = rest.indexOf(HEAD_END); end >= 0; end = rest.indexOf(HEAD_END)) {
      socket.write(ANSWER);
      rest = rest.slice(end + HEAD_END.length);
    }
  });
}).listen({ host, port: Number(port) });
