/** `lateen get`: resources of the mesh, in the columns kubectl shows. */
import { Command } from 'commander';
import type { Resource } from '#proxy/istio/resource.ts';
import { Api, pathOf, shownKind, withApi, type ApiFlags } from './api.ts';
import { CliError } from './cli-error.ts';
import { wantedOf, type Wanted } from './kind.ts';
import { columns, structured, withOutput, type OutputFlags } from './output.ts';

type Flags = ApiFlags & OutputFlags & { readonly allNamespaces?: true; readonly selector?: string };

type Table = {
  readonly columnDefinitions: readonly { readonly name: string; readonly priority: number }[];
  readonly rows: readonly {
    readonly cells: readonly unknown[];
    readonly object?: { readonly metadata?: { readonly namespace?: string } };
  }[];
};

const AS_TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io';

export const command = (): Command =>
  withOutput(withApi(new Command('get')), ['json', 'yaml', 'wide', 'name'])
    .description(
      'Shows resources: lateen get pods, lateen get vs reviews -o yaml, lateen get gateways,virtualservices -A',
    )
    .argument('<kind-and-names...>', 'KIND, KIND,KIND, KIND NAME… or KIND/NAME…')
    .option('-A, --all-namespaces', 'of every namespace')
    .option('-l, --selector <labels>', 'only those with these labels: app=reviews')
    .action(async (words: readonly string[], flags: Flags) => {
      const api = new Api(flags.server);
      const wanted = wantedOf(words);
      const table = flags.output === 'table' || flags.output === 'wide';
      const found = table ? await showTables(api, wanted, flags) : await showObjects(api, wanted, flags);
      if (!found)
        process.stderr.write(
          flags.allNamespaces === true
            ? 'No resources found\n'
            : `No resources found in ${flags.namespace} namespace.\n`,
        );
    });

async function showTables(api: Api, wanted: readonly Wanted[], flags: Flags): Promise<boolean> {
  let shown = false;
  for (const { info, rows } of merge(
    await Promise.all(
      wanted.map(async (w) => ({ info: w.info, rows: await tableOf(api, w, flags, wanted.length > 1) })),
    ),
  )) {
    if (rows.length < 2) continue;
    process.stdout.write(`${shown ? '\n' : ''}${columns(rows)}`);
    shown = info !== undefined;
  }
  return shown;
}

/** Several names of one kind are one table. */
function merge(
  tables: readonly { info: Wanted['info']; rows: string[][] }[],
): { info: Wanted['info']; rows: string[][] }[] {
  const merged: { info: Wanted['info']; rows: string[][] }[] = [];
  for (const table of tables) {
    const same = merged.at(-1);
    if (same?.info === table.info) same.rows.push(...table.rows.slice(1));
    else merged.push(table);
  }
  return merged;
}

async function tableOf(api: Api, wanted: Wanted, flags: Flags, several: boolean): Promise<string[][]> {
  const table = await read<Table>(api, wanted, flags, AS_TABLE);
  const shown = table.columnDefinitions
    .map((c, i) => [c, i] as const)
    .filter(([c]) => c.priority === 0 || flags.output === 'wide');
  const place = flags.allNamespaces === true && wanted.info.namespaced;
  const prefix = several && wanted.name === null ? `${shownKind(wanted.info)}/` : '';
  const head = [...(place ? ['NAMESPACE'] : []), ...shown.map(([c]) => c.name.toUpperCase())];
  const rows = table.rows.map(({ cells, object }) => [
    ...(place ? [object?.metadata?.namespace ?? ''] : []),
    ...shown.map(([, i], at) => `${at === 0 ? prefix : ''}${cellOf(cells[i])}`),
  ]);
  return [head, ...rows];
}

async function showObjects(api: Api, wanted: readonly Wanted[], flags: Flags): Promise<boolean> {
  const objects: Resource[] = [];
  for (const w of wanted) {
    const read1 = await read<Resource & { readonly items?: readonly Resource[] }>(api, w, flags);
    const items =
      w.name === null
        ? (read1.items ?? []).map((r) => ({ ...r, apiVersion: r.apiVersion ?? read1.apiVersion, kind: w.info.kind }))
        : [read1];
    objects.push(...items);
    if (flags.output === 'name')
      for (const { metadata } of items) process.stdout.write(`${shownKind(w.info)}/${metadata.name}\n`);
  }
  if (flags.output === 'json' || flags.output === 'yaml') {
    const single = wanted.length === 1 && wanted[0]!.name !== null;
    process.stdout.write(
      structured(single ? objects[0] : { apiVersion: 'v1', kind: 'List', items: objects }, flags.output),
    );
  }
  return objects.length > 0 || flags.output !== 'name';
}

async function read<T>(api: Api, { info, name }: Wanted, flags: Flags, accept?: string): Promise<T> {
  const namespace = flags.allNamespaces === true && name === null ? '' : flags.namespace;
  const query = flags.selector === undefined ? '' : `?labelSelector=${encodeURIComponent(flags.selector)}`;
  const found = await api.find<T>(pathOf(info, namespace, name ?? undefined) + query, accept);
  if (found !== null) return found;
  throw new CliError(
    name === null
      ? `the control API does not serve ${info.plural}.`
      : `${info.plural}${info.group === '' ? '' : `.${info.group}`} "${name}" not found`,
  );
}

const cellOf = (cell: unknown): string =>
  typeof cell === 'string' ? cell : cell === null || cell === undefined ? '' : JSON.stringify(cell);
