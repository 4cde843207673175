/** `lateen diff`: what apply would change, without changing it. */
import { Command } from 'commander';
import { keyOf, type Resource } from '#proxy/istio/resource.ts';
import { Api, withApi, type ApiFlags } from './api.ts';
import { applyOne } from './applied.ts';
import { LAST_APPLIED } from './merge-patch.ts';
import { unifiedDiff } from './line-diff.ts';
import { structured } from './output.ts';
import { paint } from './paint.ts';
import { readResources, refuseErrors, withFiles, type FileFlags } from './source-file.ts';

type Flags = ApiFlags & FileFlags;

export const command = (): Command =>
  withFiles(withApi(new Command('diff')))
    .description('Shows what apply would change. Exit code 0: nothing; 1: something; above: it failed.')
    .argument('[file...]', 'the same as -f')
    .action(async (words: readonly string[], flags: Flags) => {
      const { resources, problems } = await readResources(flags, words, flags.namespace);
      refuseErrors(problems);
      const api = new Api(flags.server);
      let differs = false;
      for (const resource of resources) {
        const { before, after } = await applyOne(api, resource, true);
        const text = unifiedDiff(before === null ? '' : shown(before), shown(after), [
          `live/${keyOf(resource)}`,
          `merged/${keyOf(resource)}`,
        ]);
        if (text === '') continue;
        differs = true;
        process.stdout.write(coloured(text));
      }
      if (differs) process.exitCode = 1;
    });

/** Without what the server keeps for itself. */
function shown(resource: Resource): string {
  const { metadata, status: _, ...rest } = resource;
  const {
    managedFields: _m,
    resourceVersion: _r,
    uid: _u,
    creationTimestamp: _c,
    generation: _g,
    annotations,
    ...meta
  } = metadata;
  const { [LAST_APPLIED]: _l, ...own } = annotations ?? {};
  const { apiVersion, kind, ...body } = rest;
  return structured(
    { apiVersion, kind, metadata: { ...meta, ...(Object.keys(own).length > 0 ? { annotations: own } : {}) }, ...body },
    'yaml',
  );
}

function coloured(text: string): string {
  const colours = { '-': 'red', '+': 'green', '@': 'cyan' } as const;
  return text.replace(/^[-+@].*$/gm, (line) => paint(colours[line[0] as keyof typeof colours], line));
}
