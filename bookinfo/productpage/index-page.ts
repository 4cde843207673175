/** The front page: which services make up the product page, and the ways in. */
import { baseUrl } from '../outgoing.ts';
import type { Env } from '../service.ts';
import { frame } from './frame.ts';
import { markup, type Markup } from './markup.ts';

type Node = { readonly name: string; readonly endpoint: string; readonly children: readonly Node[] };

/** Names the addresses under which productpage reaches the others. */
export function indexPage(user: string | null, env: Env): string {
  const ratings = leaf('ratings', env);
  const reviews = { ...leaf('reviews', env), children: [ratings] };
  const tree: Node = { name: 'productpage', endpoint: '/productpage', children: [leaf('details', env), reviews] };
  return frame(
    user,
    markup`<section class="card">
<h1>Hello! This is a simple bookstore application consisting of the services shown here</h1>
<ul class="tree">${branch(tree)}</ul>
<h2>Open the product page as</h2>
<p class="ways"><a href="productpage?u=normal">Normal user</a> <a href="productpage?u=test">Test user</a></p>
</section>`,
  );
}

const leaf = (name: 'details' | 'reviews' | 'ratings', env: Env): Node => ({
  name,
  endpoint: `${baseUrl(env, name)}/${name}`,
  children: [],
});

const branch = ({ name, endpoint, children }: Node): Markup =>
  markup`<li><b>${name}</b> <code>${endpoint}</code>${children.length === 0 ? null : markup`<ul>${children.map(branch)}</ul>`}</li>`;
