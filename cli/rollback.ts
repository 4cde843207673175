/** `lateen rollback`: puts resources back to what they were at a revision. */
import { once } from 'node:events';
import { createInterface } from 'node:readline/promises';
import { Command, InvalidArgumentError } from 'commander';
import type { RolledBack } from '#control-api/rollback.ts';
import type { RollbackWish, Selection } from '#control-api/rollback-input.ts';
import { KINDS } from '#proxy/istio/kinds.ts';
import { Api, shownKind, withApi, type ApiFlags } from './api.ts';
import { wantedOf } from './kind.ts';
import { resourceDiff } from './resource-diff.ts';

type Flags = ApiFlags & {
  readonly to: number;
  readonly allNamespaces?: true;
  readonly dryRun?: true;
  readonly yes?: true;
};

type Item = Omit<RolledBack, 'before' | 'after'> & Partial<RolledBack>;
type Answer = { readonly revision: number; readonly items: readonly Item[] };

export const command = (): Command =>
  withApi(new Command('rollback'))
    .description(
      'Puts resources back to what they were at a revision (lateen history lists them): all of them, or none when one is refused.\n' +
        'lateen rollback vs reviews --to 41; without a kind, everything that people changed since. What did not exist then is deleted.',
    )
    .argument('[kind-and-names...]', 'KIND, KIND NAME… or KIND/NAME…')
    .requiredOption('--to <revision>', 'as it was right after this change', revision)
    .option('-A, --all-namespaces', 'of every namespace')
    .option('--dry-run', 'show what would change, as a diff, and change nothing')
    .option('-y, --yes', 'do not ask')
    .action(async (words: readonly string[], flags: Flags, command: Command) => {
      const api = new Api(flags.server);
      const only = selectionsOf(words, flags, command.getOptionValueSource('namespace') !== 'default');
      const wish: Omit<RollbackWish, 'seen' | 'dryRun'> = { revision: flags.to, only };
      if (flags.dryRun === true) {
        const { items } = await ask(api, { ...wish, dryRun: true, seen: null });
        for (const item of items) process.stdout.write(diffOf(item, flags.to));
        return show(items, flags.to, ' (server dry run)');
      }
      const broad = only === null || only.some(({ name }) => name === undefined);
      let seen: number | null = null;
      if (broad && flags.yes !== true && process.stdin.isTTY && process.stdout.isTTY) {
        seen = await confirmed(api, wish);
        if (seen === null) return;
      }
      const { items } = await ask(api, { ...wish, dryRun: false, seen });
      show(items, flags.to, '');
    });

/** Null: everything. A namespace narrows it when it was given, so that `-n staging` never touches another one. */
function selectionsOf(words: readonly string[], flags: Flags, placed: boolean): readonly Selection[] | null {
  if (words.length === 0) return placed && flags.allNamespaces !== true ? [{ namespace: flags.namespace }] : null;
  return wantedOf(words).map(({ info, name }) => {
    const namespace = info.namespaced ? flags.namespace : '';
    if (name !== null) return { kind: info.kind, namespace, name };
    return flags.allNamespaces === true ? { kind: info.kind } : { kind: info.kind, namespace };
  });
}

async function ask(api: Api, wish: RollbackWish): Promise<Answer> {
  return api.send<Answer>('POST', '/lateen/v1/rollback', wish);
}

/** The revision that was looked at; null: not wanted, or nothing to do. */
async function confirmed(api: Api, wish: Omit<RollbackWish, 'seen' | 'dryRun'>): Promise<number | null> {
  const { items, revision } = await ask(api, { ...wish, dryRun: true, seen: null });
  const due = items.filter(({ outcome }) => outcome !== 'unchanged');
  show(items, wish.revision, ' (not yet)');
  if (due.length === 0) return null;
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  const what = due.length === 1 ? 'this resource' : `these ${due.length} resources`;
  const question = `Roll ${what} back to revision ${wish.revision}? --dry-run shows the diff. [y/N] `;
  // Ctrl-C and Ctrl-D reject the question; a terminal that goes away only closes it.
  const closed = once(lines, 'close').then(() => '');
  const reply = await Promise.race([lines.question(question).catch(() => '\n'), closed]);
  lines.close();
  if (/^y(?:es)?$/i.test(reply.trim())) return revision;
  process.stdout.write(`${reply === '\n' ? '\n' : ''}Nothing was changed.\n`);
  process.exitCode = 1;
  return null;
}

const SAID: Readonly<Record<RolledBack['outcome'], (to: number) => string>> = {
  unchanged: () => 'unchanged',
  configured: (to) => `rolled back to revision ${to}`,
  created: (to) => `rolled back to revision ${to} (created again)`,
  deleted: (to) => `rolled back to revision ${to} (deleted: it did not exist then)`,
};

function show(items: readonly Item[], to: number, mark: string): void {
  if (items.length === 0) process.stdout.write(`Nothing that people changed since revision ${to}.\n`);
  for (const { kind, name, outcome } of items) {
    const info = KINDS.find((k) => k.kind === kind);
    const about = outcome === 'unchanged' ? '' : mark;
    process.stdout.write(`${info === undefined ? kind : shownKind(info)}/${name} ${SAID[outcome](to)}${about}\n`);
  }
}

function diffOf({ kind, namespace, name, before = null, after = null }: Item, to: number): string {
  const key = `${kind}/${namespace}/${name}`;
  return resourceDiff(before, after, [`live/${key}`, `revision-${to}/${key}`]);
}

function revision(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new InvalidArgumentError(`Expected the number of a revision, such as 41 (lateen history), got "${text}".`);
}
