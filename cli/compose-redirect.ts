/** What a Pod's annotations say of redirection, as flags of `lateen iptables` for the container that holds its network. */
import type { Report } from '#proxy/istio/report.ts';
import { injectedAnnotations } from '../control-api/runner/inject.ts';
import type { Pod } from '../control-api/runner/object.ts';
import { CliError } from './cli-error.ts';
import { literal, REDIRECT } from './compose-file.ts';
import { OPTIONS } from './iptables.ts';
import { ANNOTATIONS } from './iptables-annotations.ts';
import { settingsOf, type Given, type SettingName } from './iptables-settings.ts';

/** Each annotation in place of the flag of the same name, else after the others. */
export function redirectFlags({ metadata, spec }: Pod, at: Report): readonly string[] {
  const said = { ...injectedAnnotations(spec), ...metadata.annotations };
  const flags: string[] = [...REDIRECT];
  for (const [annotation, setting] of Object.entries(ANNOTATIONS)) {
    const text = said[annotation];
    if (text === undefined) continue;
    const [flag, , byDefault] = OPTIONS[setting];
    // Added to those of the proxy itself, as Istio's injector does.
    const value = setting === 'excludedInboundPorts' ? `${byDefault},${text}` : text;
    const problem = problemOf(setting, value, annotation);
    if (problem !== null) at.at(annotation).error(problem);
    const name = flag.split(/[ ,]+/)[1]!;
    const there = flags.findIndex((other) => other.startsWith(`${name}=`));
    flags.splice(there < 0 ? flags.length : there, there < 0 ? 0 : 1, `${name}=${literal(value)}`);
  }
  return flags;
}

/** Null: `lateen iptables` will take it. */
function problemOf(setting: SettingName, text: string, from: string): string | null {
  const others = Object.entries(OPTIONS).map(([name, [flag, , byDefault]]) => [name, { text: byDefault, from: flag }]);
  const given = { ...Object.fromEntries(others), [setting]: { text, from } } as Record<SettingName, Given>;
  try {
    settingsOf(given, true);
    return null;
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    return error.message.replace(`${from}: `, '').replace(/\.$/, '');
  }
}
