/** All the scenarios, in the order in which they are told. */
import type { Scenario } from './scenario.ts';
import { BREAK_OFFS } from './scenarios-breaks.ts';
import { FRAMING } from './scenarios-framing.ts';
import { AUTHORIZATION, POLICIES } from './scenarios-policy.ts';
import { ROUTES } from './scenarios-route.ts';
import { UPSTREAM } from './scenarios-upstream.ts';

export const SCENARIOS: readonly Scenario[] = [
  ...ROUTES,
  ...POLICIES,
  ...AUTHORIZATION,
  ...UPSTREAM,
  ...BREAK_OFFS,
  ...FRAMING,
];
