/** A process for the durability test: writes changes, says each one that was acknowledged, and never stops by itself. */
import { openStore } from './open-store.ts';

const store = openStore({ dir: process.argv[2]! });
for (let i = 0; ; i++) {
  const kind = i % 3 === 2 ? 'Pod' : 'VirtualService';
  const author = { via: kind === 'Pod' ? 'runner' : 'kubectl', user: 'local' };
  const metadata = { name: `r${i}`, namespace: 'default' };
  const stored = store.put({ apiVersion: 'v1', kind, metadata, spec: { i } }, author);
  await new Promise<void>((resolve) => {
    process.stdout.write(`${kind} ${stored.metadata.name} ${stored.metadata.resourceVersion}\n`, () => resolve());
  });
}
