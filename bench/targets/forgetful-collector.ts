/** Answers 202 to whatever is posted, as Zipkin does to spans. */
import { createServer } from 'node:http';

const [host = '127.0.0.1', port = '0'] = process.argv.slice(2);

createServer((incoming, outgoing) => {
  incoming.resume();
  incoming.on('end', () => outgoing.writeHead(202).end());
}).listen({ host, port: Number(port) });
