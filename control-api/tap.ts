/** Taps in the server's table: a stream of single requests for whoever asks, and what proxies send for it. */
import type { FastifyRequest } from 'fastify';
import type { TapFilter } from '#proxy/snapshot/tap.ts';
import { badRequest } from './kube/status-error.ts';
import { checkedProxy } from './proxy-routes.ts';
import { bytesOf, type Route } from './route.ts';
import { sendStream } from './stream.ts';
import type { TapHub } from './tap-hub.ts';
import { readTapped } from './tap-input.ts';

const DEFAULT_RATE = 100;
const MOST_RATE = 1000;

/** `GET /lateen/v1/tap?namespace=default&workload=reviews-v3&to=ratings&method=GET&path=/ratings&status=500-599&rate=100&once=true` */
export function tapRoutes(hub: TapHub): readonly Route[] {
  return [
    {
      method: 'PUT',
      path: '/lateen/v1/proxies/:proxy/tap',
      audience: 'proxies',
      handler: (request) => {
        const proxy = checkedProxy((request.params as { proxy: string }).proxy);
        hub.accept(proxy, readTapped(bytesOf(request), request.headers['content-type']));
        return {};
      },
    },
    {
      method: 'GET',
      path: '/lateen/v1/tap',
      handler: (request, reply) => {
        const text = textOf(request);
        const filter: TapFilter = {
          namespace: text('namespace'),
          workload: text('workload'),
          service: text('service'),
          to: text('to'),
          method: text('method')?.toUpperCase() ?? null,
          path: text('path'),
          status: statusOf(text('status')),
        };
        const wish = { filter, rate: rateOf(text('rate')), once: text('once') === 'true' };
        hub.check();
        sendStream(reply, 'application/x-ndjson', (sink) => hub.open(wish, sink));
      },
    },
  ];
}

const textOf =
  (request: FastifyRequest) =>
  (name: string): string | null => {
    const value = (request.query as Record<string, unknown>)[name];
    return typeof value === 'string' && value !== '' ? value.slice(0, 1024) : null;
  };

/** `503`, `500-599`, `5xx`, or 0 for what got no answer. */
function statusOf(text: string | null): readonly [number, number] | null {
  if (text === null) return null;
  const [, from, to, hundred] = /^(?:(\d{1,3})(?:-(\d{1,3}))?|([1-5])xx)$/i.exec(text) ?? [];
  if (hundred !== undefined) return [Number(hundred) * 100, Number(hundred) * 100 + 99];
  if (from !== undefined) return [Number(from), Number(to ?? from)];
  throw badRequest(`status: expected a status such as 503, 5xx or 500-599, got "${text.slice(0, 80)}"`);
}

function rateOf(text: string | null): number {
  const rate = Number(text ?? DEFAULT_RATE);
  if (Number.isInteger(rate) && rate >= 1 && rate <= MOST_RATE) return rate;
  throw badRequest(`rate: expected a number from 1 to ${MOST_RATE}, got "${text?.slice(0, 80)}"`);
}
