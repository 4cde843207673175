/** Mixer's rules against the rest: handlers and instances that are not there (IST0101), or do not go together. */
import type { MixerRuleSpec } from '../istio/mixer.ts';
import type { Findings } from './findings.ts';
import { reportsOf } from './mixer-reports.ts';

export function analyzeMixer(f: Findings): void {
  for (const rule of f.resources.list<MixerRuleSpec>('rule')) {
    const tell = (path: string, message: string): void =>
      f.problems.add('error', rule, path, message, message.startsWith('Referenced') ? 'IST0101' : undefined);
    f.problems.guard(rule, undefined, () => void reportsOf(f.resources, rule, tell));
  }
}
