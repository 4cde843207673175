/** After a matching 101 both connections become one tunnel: WebSockets, and whatever else both ends agreed on. */
import type { LiveEndpoint } from '../live/endpoint.ts';
import type { Upstream, UpstreamHead } from '../live/stream.ts';
import { splice } from './splice.ts';
import type { Stream } from './stream.ts';

/** Only the protocol that was asked for opens a tunnel (CVE-2026-2833, CVE-2024-23326). */
export function isWanted(stream: Stream, head: UpstreamHead): boolean {
  const wanted = stream.down.upgrade;
  return wanted !== null && head.upgrade !== null && head.upgrade.toLowerCase() === wanted.toLowerCase();
}

/** Answers 101 and joins the ends. The exchange is over when the tunnel is. */
export function openTunnel(stream: Stream, upstream: Upstream, endpoint: LiveEndpoint, head: UpstreamHead): void {
  const { x, down, env } = stream;
  x.status = 101;
  x.details = 'via_upstream';
  head.headers.push('connection', 'upgrade', 'upgrade', head.upgrade ?? '');
  stream.decorate(head.headers);
  down.sendHead(101, head.reason, head.headers, 'none');
  const client = down.takeOver();
  const server = upstream.takeOver();
  const count = (received: number, sent: number): void => {
    x.bytesReceived += received;
    x.bytesSent += sent;
  };
  splice(env, client, server, count, (byClient) => {
    endpoint.active--;
    if (byClient) {
      x.flag('DC');
      x.details = 'downstream_remote_disconnect';
    }
    stream.finish();
  });
}
