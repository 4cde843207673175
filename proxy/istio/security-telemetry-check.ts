/** What PeerAuthentication and Telemetry must keep to beyond their schemas. */
import type { PeerAuthenticationSpec } from './authentication.ts';
import { formatProblem, formatWarning } from '../core/log-format.ts';
import type { Report } from './report.ts';
import type { Check } from './schema.ts';
import { labelName } from './label-name.ts';
import { checkTelemetryAnnotations } from './telemetry-annotation.ts';
import type { TelemetrySpec, Tracing } from './telemetry.ts';

export const checkPeerAuthentication: Check<PeerAuthenticationSpec> = ({ selector, portLevelMtls }, report) => {
  const selects = Object.keys(selector?.matchLabels ?? {}).length > 0;
  if (portLevelMtls !== undefined && !selects)
    report
      .at('portLevelMtls')
      .error('expected a selector beside it: ports belong to workloads (portLevelMtls requires selector)');
};

export const checkTelemetry: Check<TelemetrySpec> = ({ tracing = [], metrics = [] }, report, meta) => {
  checkTelemetryAnnotations(meta, report.elsewhere('metadata', 'annotations'));
  for (const [i, entry] of tracing.entries()) checkTracing(entry, report.at('tracing', i));
  for (const [i, { overrides = [] }] of metrics.entries()) {
    for (const [j, { tagOverrides = {} }] of overrides.entries()) {
      for (const [tag, { operation = 'UPSERT', value = '' }] of Object.entries(tagOverrides)) {
        const of = report.at('metrics', i, 'overrides', j, 'tagOverrides', tag);
        const at = of.at('value');
        if (labelName(tag) !== tag)
          of.warning(`is shown as \`${labelName(tag)}\`, since labels have letters, digits and \`_\``);
        if (operation === 'UPSERT' && value === '') at.error('is required with operation UPSERT');
        if (operation === 'REMOVE' && value !== '') at.error('expected none with operation REMOVE');
      }
    }
  }
};

function checkTracing({ providers = [], customTags = {} }: Tracing, report: Report): void {
  if (providers.length > 1) report.at('providers').warning('has several providers, of which only the first counts');
  for (const [name, tag] of Object.entries(customTags)) {
    const at = report.at('customTags', name);
    if (Object.keys(tag).length === 0) at.error('expected literal, environment, header or formatter, got none of them');
    if (tag.formatter === undefined) continue;
    const format = at.at('formatter', 'value');
    const problem = formatProblem(tag.formatter.value);
    const warning = formatWarning(tag.formatter.value);
    if (problem !== null) format.error(`expected a format; ${problem}`);
    if (warning !== null) format.warning(warning);
  }
}
