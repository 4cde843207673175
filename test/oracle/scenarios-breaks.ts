/** Upstreams that break off at a byte: status, flag, details, and what of the answer the client still gets. */
import { BREAKS, SHAPES } from './origin-breaks.ts';
import { get, type Difference, type Scenario } from './scenario.ts';

const HOST = 'breaks.oracle';

const HEAD = SHAPES.close.indexOf('\r\n\r\n') + 4;
const RESET_IS_NO_END: Difference = {
  status: 200,
  why: 'only a FIN ends such an answer; after a reset nobody knows whether it is whole',
};

export const BREAK_OFFS: readonly Scenario[] = [
  {
    host: HOST,
    side: 'outbound',
    istio: `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: breaks }
spec:
  hosts: [${HOST}]
  http: [{ route: [{ destination: { host: origin.oracle } }], retries: { attempts: 0 } }]
`,
    envoy: 'routes: [{ match: { prefix: / }, route: { cluster: origin, timeout: 0s } }]',
    requests: [
      ...BREAKS.map(({ name, shape, at, how }) => ({
        it: `an answer (${shape}) that ends after ${at} bytes by ${how}`,
        send: get(HOST, [`x-origin: ${name}`]),
        ...(shape === 'close' && how === 'rst' && at >= HEAD ? { differ: RESET_IS_NO_END } : {}),
      })),
      ...(['fin', 'rst'] as const).map((how) => ({
        it: `a tunnel that the origin ends by ${how}`,
        send: get(HOST, [`x-origin: upgrade, then ${how}`, 'connection: Upgrade', 'upgrade: websocket']),
        expect: 'end' as const,
      })),
    ],
  },
];
