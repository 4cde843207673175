/** Lists in pages: `limit` and `continue`. */
import type { Resource } from '#proxy/istio/resource.ts';
import type { ListMeta } from './represent.ts';
import { badRequest } from './status-error.ts';

/**
 * The page a query asks for. A token holds where the last page ended, so pages fit together even when objects are made or
 * deleted between them; those may then be missing or new, which the API allows for lists that are not consistent.
 */
export function page(
  all: readonly Resource[],
  query: URLSearchParams,
  revision: number,
): { items: readonly Resource[]; metadata: ListMeta } {
  const limit = Number(query.get('limit') ?? 0);
  if (!Number.isInteger(limit) || limit < 0)
    throw badRequest(`limit: expected a whole number, got "${query.get('limit')}"`);
  const token = query.get('continue') ?? '';
  const after = token === '' ? null : decode(token);
  const rest = after === null ? all : all.filter((r) => isAfter(r, after));
  const items = limit === 0 ? rest : rest.slice(0, limit);
  const remaining = rest.length - items.length;
  const metadata: ListMeta = {
    resourceVersion: String(revision),
    ...(remaining === 0 ? {} : { continue: encode(items.at(-1)!), remainingItemCount: remaining }),
  };
  return { items, metadata };
}

type Place = readonly [namespace: string, name: string];

const encode = ({ metadata }: Resource): string =>
  Buffer.from(JSON.stringify([metadata.namespace, metadata.name])).toString('base64url');

function decode(token: string): Place {
  try {
    const value: unknown = JSON.parse(Buffer.from(token, 'base64url').toString('utf8'));
    if (Array.isArray(value) && value.length === 2 && value.every((v) => typeof v === 'string')) return value as never;
  } catch {
    // Told below.
  }
  throw badRequest('continue key is not valid');
}

function isAfter({ metadata }: Resource, [namespace, name]: Place): boolean {
  return metadata.namespace === namespace ? metadata.name > name : metadata.namespace > namespace;
}
