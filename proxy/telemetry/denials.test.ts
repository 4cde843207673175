import { expect, test } from 'vitest';
import { SeriesWriter } from '../core/registry.ts';
import { SeriesReader } from '../core/series-reader.ts';
import { createDenialCounter } from './denials.ts';
import { exchange, workload } from './sample-exchange.ts';

function setup() {
  const reader = new SeriesReader();
  const denied = createDenialCounter(new SeriesWriter((a) => reader.accept(1, a)));
  const counted = (): Record<string, number> =>
    Object.fromEntries(
      [...reader.families()].flatMap(({ series }) =>
        [...series.values()].map((sum) => [sum.labels.join(' | '), sum.slot(0)]),
      ),
    );
  return { denied, counted };
}

test('what a policy refused is counted by policy and caller; what it let in is not', () => {
  const { denied, counted } = setup();
  const x = exchange('inbound', workload('reviews', 'v3', '127.66.0.3'));
  denied(x, 'http');
  expect(counted()).toEqual({});
  x.details = 'rbac_access_denied_matched_policy[ns[default]-policy[deny-reviews-v3]-rule[0]]';
  denied(x, 'http');
  denied(x, 'http');
  denied(x, 'tcp');
  const stranger = exchange('inbound');
  stranger.details = 'rbac_access_denied_matched_policy[none]';
  denied(stranger, 'http');
  expect(counted()).toEqual({
    'default/deny-reviews-v3 | reviews-v3 | default | http': 2,
    'default/deny-reviews-v3 | reviews-v3 | default | tcp': 1,
    'none | unknown | unknown | http': 1,
  });
});
