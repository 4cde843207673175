/** The proxy that everybody writes first: node:http on both sides with a keep-alive agent. */
import { Agent, createServer, request } from 'node:http';
import { here, origin } from './arguments.ts';

const agent = new Agent({ keepAlive: true, maxSockets: Infinity });

createServer((incoming, outgoing) => {
  const { method, url, headers } = incoming;
  const upstream = request({ ...origin, method, path: url, headers, agent }, (answer) => {
    outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(outgoing);
  });
  upstream.on('error', () => {
    if (!outgoing.headersSent) outgoing.writeHead(502);
    outgoing.end();
  });
  incoming.pipe(upstream);
}).listen(here);
