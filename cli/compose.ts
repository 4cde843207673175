/** `lateen compose`: pods for docker compose, out of Deployments. */
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError } from 'commander';
import { parse } from 'yaml';
import { suggest } from '#proxy/core/suggest.ts';
import { pathText, Report } from '#proxy/istio/report.ts';
import type { Resource } from '#proxy/istio/resource.ts';
import { isRecord } from '#proxy/istio/validate.ts';
import { imagesFrom, type Images } from '../control-api/runner/image.ts';
import type { Deployment } from '../control-api/runner/object.ts';
import { CliError } from './cli-error.ts';
import type { Wanted } from './compose-environment.ts';
import { composeText, type ComposeValue, type Part } from './compose-file.ts';
import { composePod, podName } from './compose-pod.ts';
import { each, eachText, wholeNumber } from './flags.ts';
import { problemLine, readResources, refuseErrors, withFiles, type FileFlags } from './source-file.ts';

type Scale = readonly [deployment: string, pods: number];
type Flags = FileFlags & {
  readonly namespace: string;
  readonly scale?: readonly Scale[];
  readonly only?: readonly string[];
  readonly beside: string;
  readonly images: string;
};

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** More of one Deployment is a slip: each pod is three containers of this machine. */
const MOST_PODS = 100;
const NOT_STARTED: ReadonlySet<string> = new Set(['Pod', 'ReplicaSet', 'Job']);

export const command = (): Command =>
  withFiles(new Command('compose'))
    .description(
      'Prints a compose file with the pods of Deployments (network, application, sidecar), for use beside docker-compose.yml.\n' +
        'Pods that docker-compose.yml has itself are left out.',
    )
    .addHelpText(
      'after',
      '\n  lateen compose -f mine.yaml >mine.yml && docker compose -f docker-compose.yml -f mine.yml up -d\n' +
        '  lateen compose -f config/bookinfo/bookinfo.yaml --scale reviews-v3=3 >more.yml      reviews-v3-2 and reviews-v3-3',
    )
    .argument('[file...]', 'the same as -f')
    .option('-n, --namespace <name>', 'namespace of resources that name none', 'default')
    .option('--scale <deployment=pods>', 'so many pods, whatever its replicas say; repeatable', each(scale))
    .option('--only <deployment>', 'of this one alone; repeatable', eachText)
    .option('--beside <file>', 'compose file it will be used with', join(ROOT, 'docker-compose.yml'))
    .option('--images <file>', 'which command an image stands for', join(ROOT, 'config/images.yaml'))
    .action(async (words: readonly string[], flags: Flags) => {
      const { resources, problems } = await readResources(flags, words, flags.namespace);
      refuseErrors(problems);
      const asked = process.argv.slice(3).map(shellWord).join(' ');
      process.stdout.write(composeFile(resources, flags, asked));
    });

/** What is found on the way. */
type Draft = {
  readonly services: Record<string, Part>;
  readonly volumes: Record<string, ComposeValue>;
  readonly wanted: Wanted;
  /** Pods that are there already, and pods without a sidecar. */
  readonly left: string[];
  readonly bare: string[];
  readonly errors: string[];
};

/** The file as text; notes go to stderr. `asked`: the arguments, for the comment at its top. Throws a CliError that says all that is wrong. */
function composeFile(resources: readonly Resource[], flags: Flags, asked: string): string {
  const there = servicesOf(flags.beside);
  const images = imagesOf(flags.images);
  const draft: Draft = { services: {}, volumes: {}, wanted: new Map(), left: [], bare: [], errors: [] };
  for (const deployment of chosen(resources, flags))
    addPods(draft, deployment, podsOf(deployment, flags), { resources, images, there });
  const { services, volumes, wanted, left, bare, errors } = draft;
  if (errors.length > 0) throw new CliError(`docker compose cannot run what is written:\n${errors.join('\n')}`);
  if (left.length > 0) note(`left out, as ${basename(flags.beside)} has them: ${left.join(', ')}`);
  if (Object.keys(services).length === 0)
    throw new CliError('no pod is left to print.', { hint: '--scale NAME=2 makes a second one.', exitCode: 2 });
  if (bare.length > 0)
    note(`without a sidecar, and so no endpoints of a Service, but http://NAME.pod:PORT: ${bare.join(', ')}`);
  for (const [variable, what] of wanted)
    note(`set ${variable} for docker compose, in .env or in its environment: ${what}`);
  if (resources.some(({ kind }) => kind === 'Secret'))
    note('values of Secrets are in the file as they are: keep it as you keep them');
  tellOthers(resources);
  return composeText({ services, volumes }, head(asked, Object.keys(services), wanted));
}

type Around = {
  readonly resources: readonly Resource[];
  readonly images: Images;
  readonly there: ReadonlySet<string>;
};

function addPods(draft: Draft, deployment: Deployment, pods: number, { resources, images, there }: Around): void {
  const { kind, metadata } = deployment;
  const { name, namespace } = metadata;
  const find = (of: string, wanted: string): Resource | undefined =>
    resources.find(
      (r) => r.kind === of && r.metadata.name === wanted && (of === 'Namespace' || r.metadata.namespace === namespace),
    );
  const report = new Report();
  for (let n = 1; n <= pods; n += 1) {
    const pod = podName(deployment, n);
    if (there.has(`${pod}-pod`)) {
      draft.left.push(pod);
      continue;
    }
    // What is wrong with one is wrong with all.
    const told = report.findings.length === 0 ? report : new Report();
    const made = composePod(deployment, pod, { images, find, wanted: draft.wanted }, told);
    const twice = Object.keys(made.services).find((s) => there.has(s) || Object.hasOwn(draft.services, s));
    if (twice !== undefined)
      report.at('metadata', 'name').error(`would need a second service ${twice}: give the Deployment another name`);
    Object.assign(draft.services, made.services);
    Object.assign(draft.volumes, made.volumes);
    if (!made.sidecar) draft.bare.push(pod);
  }
  for (const { severity, path, message } of report.findings) {
    const line = problemLine({ severity, path: pathText(path), message, resource: { kind, namespace, name } });
    if (severity === 'error') draft.errors.push(line);
    else note(line);
  }
}

function imagesOf(file: string): Images {
  const images = imagesFrom(file);
  try {
    images.find('');
    return images;
  } catch (error) {
    throw new CliError(`--images: ${error instanceof Error ? error.message : String(error)}`, { exitCode: 2 });
  }
}

function chosen(resources: readonly Resource[], { only, scale: scales = [] }: Flags): readonly Deployment[] {
  const all = resources.filter((r): r is Deployment => r.kind === 'Deployment');
  if (all.length === 0)
    throw new CliError('expected a Deployment in what is given, got none.', {
      hint: 'Only Deployments have pods here.',
    });
  const names = all.map(({ metadata }) => metadata.name);
  for (const name of [...(only ?? []), ...scales.map(([of]) => of)]) {
    if (names.includes(name)) continue;
    const guess = suggest(name, names);
    const hint = guess === null ? `There are: ${[...new Set(names)].join(', ')}.` : `Did you mean ${guess}?`;
    throw new CliError(`no Deployment "${name}" is in what is given.`, { hint, exitCode: 2 });
  }
  return all.filter(({ metadata }) => only === undefined || only.includes(metadata.name));
}

function podsOf({ metadata, spec }: Deployment, { scale: scales = [] }: Flags): number {
  const pods = scales.findLast(([name]) => name === metadata.name)?.[1] ?? spec.replicas ?? 1;
  if (pods <= MOST_PODS) return pods;
  throw new CliError(
    `Deployment ${metadata.namespace}/${metadata.name} has ${pods} replicas: more than ${MOST_PODS} pods are not printed.`,
    {
      hint: `--scale ${metadata.name}=2 takes fewer.`,
    },
  );
}

/** Names of the services that a compose file has. */
function servicesOf(file: string): ReadonlySet<string> {
  const hint = '--beside FILE names the compose file that this one will be used with.';
  if (!existsSync(file)) throw new CliError(`${file} is not there.`, { hint, exitCode: 2 });
  let read: unknown;
  try {
    read = parse(readFileSync(file, 'utf8'), { maxAliasCount: 10_000 });
  } catch (error) {
    throw new CliError(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`, { hint });
  }
  const services = isRecord(read) ? read['services'] : undefined;
  if (!isRecord(services)) throw new CliError(`${file}: services: expected a mapping of services.`, { hint });
  return new Set(Object.keys(services));
}

/** What is for the control API, and what is for nobody. */
function tellOthers(resources: readonly Resource[]): void {
  const names = (fits: (kind: string) => boolean): string =>
    resources
      .filter(({ kind }) => fits(kind))
      .map(({ kind, metadata }) => `${kind} ${metadata.name}`)
      .join(', ');
  const lost = names((kind) => NOT_STARTED.has(kind));
  if (lost !== '') note(`not started by docker compose: ${lost}: only Deployments are`);
  const others = names((kind) => !NOT_STARTED.has(kind) && kind !== 'Deployment');
  if (others !== '') note(`for the control API, with kubectl apply or lateen apply: ${others}`);
}

const note = (text: string): void => void process.stderr.write(`${text}\n`);

function head(asked: string, services: readonly string[], wanted: Wanted): readonly string[] {
  const beside = 'docker compose -f docker-compose.yml -f THIS-FILE';
  return [
    'Pods of a mesh, to be used beside docker-compose.yml. Made by',
    '',
    `  lateen compose ${asked}`,
    '',
    `  ${beside} up -d`,
    `  ${beside} rm --stop --force ${services.join(' ')}`,
    ...(wanted.size === 0 ? [] : ['', 'To be set in .env, or in the environment of docker compose:']),
    ...[...wanted].map(([variable, what]) => `  ${variable}: ${what}`),
  ];
}

/** As a shell would want it, in one line. */
const shellWord = (word: string): string =>
  /^[\w./:=@%+,-]+$/.test(word) ? word : `'${word.replace(/[\r\n]+/g, ' ').replaceAll("'", "'\\''")}'`;

function scale(text: string): Scale {
  const [, name, pods] = /^([^=]+)=(\d+)$/.exec(text) ?? [];
  if (name === undefined || pods === undefined)
    throw new InvalidArgumentError(`Expected DEPLOYMENT=PODS such as reviews-v3=3, got "${text}".`);
  const n = wholeNumber(pods);
  if (n > MOST_PODS) throw new InvalidArgumentError(`Expected at most ${MOST_PODS} pods, got ${pods}.`);
  return [name, n];
}
