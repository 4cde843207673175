/** `lateen roll`: replaces the containers of pods that run in docker compose, one pod after the other, so that no request is lost. */
import { setTimeout as pause } from 'node:timers/promises';
import { Command } from 'commander';
import { REGISTERED } from '#control-api/registered-pod.ts';
import { suggest } from '#proxy/core/suggest.ts';
import type { Resource } from '#proxy/istio/resource.ts';
import { Api, withApi, type ApiFlags } from './api.ts';
import { CliError } from './cli-error.ts';
import { compose, composeCommand } from './compose-command.ts';
import { each } from './flags.ts';
import { servedAlone } from './served-alone.ts';

type Flags = ApiFlags & { readonly file?: readonly string[]; readonly build?: true };
type Conditions = readonly { readonly type: string; readonly status: string; readonly message?: string }[];
type Pod = Resource & { readonly status?: { readonly conditions?: Conditions } };
/** A container may have to be pulled; a pod that is not ready by then will not be. */
const READY_WITHIN_MS = 120_000;
const POLL_MS = 200;

export const command = (): Command =>
  withApi(new Command('roll'))
    .description(
      'Replaces the containers of pods that docker compose runs, one pod after the other: its sidecar is told to stop, which it does when nobody\n' +
        'calls it any more; then the rest of the pod is replaced; the next one follows when it is ready. In the directory of docker-compose.yml.',
    )
    .argument('<what>', 'a pod (reviews-v1), a Deployment, or all with a label app (reviews)')
    .option('-f, --file <file>', 'compose file, as for docker compose -f; repeatable', each(String))
    .option('--build', 'build the image before')
    .action(async (what: string, flags: Flags) => {
      const api = new Api(flags.server);
      const pods = await podsOf(api, flags.namespace, what);
      const docker = composeCommand(flags.file ?? []);
      if (flags.build === true) await compose(docker, ['build']);
      for (const pod of pods) await replace(api, docker, pod);
    });

/** Throws CliError when there is none, or somebody else runs them. */
async function podsOf(api: Api, namespace: string, what: string): Promise<readonly Pod[]> {
  const { items } = await api.send<{ items: readonly Pod[] }>(
    'GET',
    `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods`,
  );
  const isOf = ({ metadata: { name, labels } }: Pod): boolean =>
    name === what || labels?.['app'] === what || (name.startsWith(what) && /^-\d+$/.test(name.slice(what.length)));
  const found = items.filter(isOf);
  if (found.length === 0) {
    const guess = suggest(
      what,
      items.flatMap(({ metadata }) => [metadata.name, metadata.labels?.['app'] ?? metadata.name]),
    );
    throw new CliError(`no pod "${what}" in namespace ${namespace}, nor one with the label app=${what}.`, {
      hint: guess === null ? 'lateen get pods lists them.' : `Did you mean ${guess}?`,
    });
  }
  const foreign = found.find(({ metadata }) => metadata.annotations?.[REGISTERED] === undefined);
  if (foreign !== undefined)
    throw new CliError(
      `pod ${foreign.metadata.name} is no container of docker compose: the control API runs it itself.`,
      {
        hint: `Replace it with kubectl --server ${api.server} rollout restart deployment.`,
      },
    );
  return found;
}

async function replace(api: Api, docker: readonly string[], pod: Pod): Promise<void> {
  const { name, namespace } = pod.metadata;
  const started = performance.now();
  for (const what of await servedAlone(api, pod))
    process.stderr.write(`${name} is the only pod of ${what} that is ready: its callers get 503 until it is back\n`);
  const all = (await compose(docker, ['config', '--services'])).split('\n');
  const [app, ...companions] = [name, `${name}-sidecar`, `${name}-pod`].filter((service) => all.includes(service));
  if (app !== name)
    throw new CliError(`the compose file has no service ${name}.`, {
      hint: 'Name the file that has it: -f FILE, after -f docker-compose.yml.',
    });
  // The application serves until its sidecar has let go of the last request.
  for (const service of [...companions.filter((s) => s.endsWith('-sidecar')), name])
    await compose(docker, ['stop', service]);
  await compose(docker, ['up', '--detach', '--force-recreate', ...companions.toReversed(), name]);
  await ready(api, namespace, name, incarnationOf(pod));
  process.stdout.write(`${name} replaced in ${((performance.now() - started) / 1000).toFixed(1)} s\n`);
}

const incarnationOf = ({ metadata }: Pod): string | undefined => metadata.annotations?.[REGISTERED];

/** Resolves when a newer incarnation of the pod is ready. Throws a CliError that says what is missing. */
async function ready(api: Api, namespace: string, name: string, before: string | undefined): Promise<void> {
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(name)}`;
  const until = performance.now() + READY_WITHIN_MS;
  let last = 'it has not registered';
  while (performance.now() < until) {
    const pod = await api.find<Pod>(path).catch((error: unknown) => {
      // The control API may be replaced in the same go.
      if (error instanceof CliError) last = error.message;
      return null;
    });
    const condition = pod?.status?.conditions?.find(({ type }) => type === 'Ready');
    if (pod !== null && incarnationOf(pod) !== before) {
      if (condition?.status === 'True') return;
      last = condition?.message ?? 'it is not ready';
    }
    await pause(POLL_MS);
  }
  throw new CliError(`pod ${name} is not ready after ${READY_WITHIN_MS / 1000} s: ${last}`, {
    hint: `docker compose logs ${name} ${name}-sidecar ${name}-pod says more. Pods after it were left as they are.`,
  });
}
