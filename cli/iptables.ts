/** `lateen iptables`: has the kernel redirect the connections of a network namespace to the proxy, as istio-iptables does. */
import { readFileSync } from 'node:fs';
import { Command, Option } from 'commander';
import { CliError } from './cli-error.ts';
import { wholeNumber } from './flags.ts';
import { annotated } from './iptables-annotations.ts';
import { removeRules, setRules, type Outcome } from './iptables-apply.ts';
import { INBOUND_SOURCE, tablesOf } from './iptables-rules.ts';
import { settingsOf, type Given, type SettingName } from './iptables-settings.ts';
import { restoreText } from './iptables-state.ts';

/** Names and defaults are istio-iptables' own, with what Istio's injector gives it. */
export const OPTIONS: Readonly<Record<SettingName, readonly [flag: string, what: string, byDefault: string]>> = {
  outboundPort: ['-p, --envoy-port <port>', 'port of the proxy that takes what goes out', '15001'],
  inboundPort: ['-z, --inbound-capture-port <port>', 'port of the proxy that takes what comes in', '15006'],
  uids: ['-u, --proxy-uid <ids>', 'users whose connections are not redirected: the proxy', '1337'],
  gids: ['-g, --proxy-gid <ids>', 'groups of the same kind (default: the same numbers as --proxy-uid)', ''],
  mode: ['-m, --istio-inbound-interception-mode <mode>', 'REDIRECT; there is no TPROXY', 'REDIRECT'],
  inboundPorts: ['-b, --istio-inbound-ports <ports>', 'what comes in for these; * for all, "" for none', '*'],
  excludedInboundPorts: [
    '-d, --istio-local-exclude-ports <ports>',
    'but not for these, when -b is *',
    '15090,15021,15020',
  ],
  outboundRanges: ['-i, --istio-service-cidr <ranges>', 'what goes out to these; * for all, "" for none', '*'],
  excludedOutboundRanges: ['-x, --istio-service-exclude-cidr <ranges>', 'but not to these', ''],
  excludedOutboundPorts: ['-o, --istio-local-outbound-ports-exclude <ports>', 'and not to these ports', ''],
  outboundPorts: ['-q, --istio-outbound-ports <ports>', 'what goes out to these ports, whatever -i says', ''],
  virtualInterfaces: [
    '-k, --kube-virt-interfaces <names>',
    'what comes in by these is outbound (virtual machines)',
    '',
  ],
  excludedInterfaces: ['-c, --exclude-interfaces <names>', 'nothing that comes in or goes out by these', ''],
};

type Flags = {
  readonly redirectDns?: true;
  readonly annotations?: string;
  readonly clean?: true;
  readonly dryRun?: true;
  readonly wait: number;
};

export const command = (): Command => {
  const made = new Command('iptables').description(
    'Redirects the TCP connections of this network namespace to the proxy, as istio-iptables does: what goes out to 15001, what\n' +
      'comes in to 15006. Run again, it changes only what differs. Lists are separated by commas.',
  );
  for (const [flag, what, byDefault] of Object.values(OPTIONS)) made.option(flag, what, byDefault);
  return made
    .option('--redirect-dns', 'DNS queries (port 53, UDP and TCP) to 15053 as well')
    .option('--annotations <file>', 'take from the annotations of a pod what no flag says (a file of the downward API)')
    .addOption(new Option('--clean', 'remove the rules').conflicts('dryRun'))
    .option('-n, --dry-run', 'print what iptables-restore and ip6tables-restore would get; needs neither root nor them')
    .option('--wait <seconds>', 'for the lock of another iptables', wholeNumber, 10)
    .addHelpText(
      'after',
      '\nExit codes: 0 the rules are as asked; 1 they are not; 2 a value is wrong; 3 CAP_NET_ADMIN is missing; 4 iptables is missing.',
    )
    .action((flags: Flags, self: Command) => {
      // Checked even when it is not used: a flag that is wrong is told of.
      const settings = settingsOf(givenTo(self, flags.annotations), flags.redirectDns === true);
      if (flags.dryRun === true) {
        const [four, six] = (['IPv4', 'IPv6'] as const).map((family) => restoreText(tablesOf(settings, family), {}));
        process.stdout.write(
          `# iptables-restore --noflush\n${four}# ip6tables-restore --noflush\n${six}# ip -6 address add ${INBOUND_SOURCE.IPv6} dev lo\n`,
        );
      } else tell(flags.clean === true ? removeRules(flags.wait) : setRules(settings, flags.wait));
    });
};

/** Flags, then annotations, then defaults. Excluded inbound ports of an annotation are added to those of the proxy itself, as Istio's injector does. */
function givenTo(command: Command, file: string | undefined): Record<SettingName, Given> {
  const annotations = file === undefined ? new Map<SettingName, Given>() : annotated(readText(file), file);
  const entries = (Object.keys(OPTIONS) as SettingName[]).map((name): [SettingName, Given] => {
    const [flag, , byDefault] = OPTIONS[name];
    const attribute = new Option(flag).attributeName();
    const own: Given = { text: command.getOptionValue(attribute) as string, from: flag.split(' ')[1]! };
    const annotation = annotations.get(name);
    if (annotation === undefined || command.getOptionValueSource(attribute) === 'cli') return [name, own];
    const { text, from } = annotation;
    return [name, name === 'excludedInboundPorts' ? { text: `${byDefault},${text}`, from } : annotation];
  });
  return Object.fromEntries(entries) as Record<SettingName, Given>;
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new CliError(`--annotations ${file}: ${(error as Error).message}`, { exitCode: 2 });
  }
}

function tell(outcomes: readonly Outcome[]): void {
  for (const { family, change, by } of outcomes) {
    if (change === 'skipped') process.stderr.write(`${family}: not redirected: ${by}\n`);
    else process.stdout.write(`${family}: ${change} (${by})\n`);
  }
}
