/** What the mesh counts of a TCP connection (Istio's four TCP metrics). */
import type { Connection } from '../live/connection.ts';
import type { Direction } from '../live/exchange.ts';
import type { Environment } from './environment.ts';
import type { TcpReport } from './tcp.ts';

export function tcpReport(env: Environment, direction: Direction, connection: Connection): TcpReport {
  let series: ReturnType<Environment['tcpSeries']> | null = null;
  return {
    onOpened(cluster, endpoint) {
      series = env.tcpSeries({ direction, peer: connection.peer, cluster, endpoint });
      series.opened();
    },
    onBytes(received, sent) {
      series?.bytes(sent, received);
    },
    onClosed({ flag }) {
      series?.closed(flag);
    },
  };
}
