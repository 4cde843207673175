/** http-proxy, or http-proxy-3 which keeps its interface: as their READMEs say, with a keep-alive agent. */
import { Agent, createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import { here, origin, packageName } from './arguments.ts';

type ProxyServer = {
  web: (incoming: IncomingMessage, outgoing: ServerResponse) => void;
  on: (event: 'error', listener: (cause: Error, incoming: IncomingMessage, outgoing: ServerResponse) => void) => void;
};
type Package = { createProxyServer: (options: { target: string; agent: Agent }) => ProxyServer };

const { createProxyServer } = createRequire(import.meta.url)(packageName) as Package;
const proxy = createProxyServer({
  target: `http://${origin.host}:${origin.port}`,
  agent: new Agent({ keepAlive: true, maxSockets: Infinity }),
});
proxy.on('error', (_cause, _incoming, outgoing) => {
  if (!outgoing.headersSent) outgoing.writeHead(502);
  outgoing.end();
});

createServer((incoming, outgoing) => proxy.web(incoming, outgoing)).listen(here);
