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

/**
 * Answers 101 and joins the ends. The exchange is over when the tunnel is. No route's timeout holds for it, and no idle limit:
 * Istio sets neither for upgraded connections (stream_idle_timeout is 0 in its listeners).
 */
export function openTunnel(stream: Stream, upstream: Upstream, endpoint: LiveEndpoint, head: UpstreamHead): void {
  const { x, down, env } = stream;
  const cluster = x.cluster!;
  x.status = 101;
  x.details = 'via_upstream';
  head.headers.push('connection', 'upgrade', 'upgrade', head.upgrade ?? '');
  stream.decorate(head.headers);
  down.sendHead(101, head.reason, head.headers, 'none');
  // The tunnel is a request and a connection still: the limits of its cluster count it as long as it lasts.
  cluster.active++;
  cluster.connections++;
  const client = down.takeOver();
  const server = upstream.takeOver();
  splice(env, client, server, {
    direction: x.direction,
    idle: 0,
    longest: 0,
    passed(received, sent) {
      x.bytesReceived += received;
      x.bytesSent += sent;
    },
    ended({ by, how }) {
      cluster.active--;
      cluster.connections--;
      endpoint.active--;
      if (by === 'a') {
        x.flag('DC');
        x.details = 'downstream_remote_disconnect';
        x.reason = how === 'reset' ? 'the client reset the tunnel' : 'the client closed the tunnel';
      } else if (by === 'b') {
        // Envoy's words for an upstream that ends a tunnel, be it with a good-bye.
        x.flag('UC');
        x.details = 'upstream_reset_after_response_started{connection_termination}';
        x.reason = `${endpoint.key} ${how === 'reset' ? 'reset' : 'closed'} the tunnel`;
      } else {
        x.reason = how === 'idle' ? 'one end had closed, the other was silent for too long' : 'the proxy was drained';
      }
      stream.finish();
    },
  });
}
