/** What PeerAuthentication and Telemetry must keep to beyond their schemas. */
import type { PeerAuthenticationSpec } from './authentication.ts';
import type { Check } from './schema.ts';
import type { TelemetrySpec } from './telemetry.ts';

export const checkPeerAuthentication: Check<PeerAuthenticationSpec> = ({ selector, portLevelMtls }, report) => {
  const selects = Object.keys(selector?.matchLabels ?? {}).length > 0;
  if (portLevelMtls !== undefined && !selects)
    report
      .at('portLevelMtls')
      .error('expected a selector beside it: ports belong to workloads (portLevelMtls requires selector)');
};

export const checkTelemetry: Check<TelemetrySpec> = ({ tracing = [], metrics = [], accessLogging = [] }, report) => {
  if (tracing.length > 1) report.at('tracing').warning('has several entries, of which only the first counts');
  for (const [name, list] of Object.entries({ tracing, accessLogging })) {
    for (const [i, { providers = [] }] of list.entries()) {
      if (providers.length > 1)
        report.at(name, i, 'providers').warning('has several providers, of which only the first counts');
    }
  }
  for (const [i, { overrides = [] }] of metrics.entries()) {
    for (const [j, { tagOverrides = {} }] of overrides.entries()) {
      for (const [tag, { operation = 'UPSERT', value = '' }] of Object.entries(tagOverrides)) {
        const at = report.at('metrics', i, 'overrides', j, 'tagOverrides', tag, 'value');
        if (operation === 'UPSERT' && value === '') at.error('is required with operation UPSERT');
        if (operation === 'REMOVE' && value !== '') at.error('expected none with operation REMOVE');
      }
    }
  }
  for (const [i, { customTags = {} }] of tracing.entries()) {
    for (const [name, tag] of Object.entries(customTags)) {
      if (Object.keys(tag).length === 0)
        report
          .at('tracing', i, 'customTags', name)
          .error('expected literal, environment, header or formatter, got none of them');
    }
  }
};
