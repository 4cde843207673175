/** What the proxies of a mesh have spent: read from their own metrics, through the control API. */

export type Usage = {
  /** CPU time since its start, seconds. */
  readonly cpu: number;
  /** Resident, bytes. */
  readonly memory: number;
  /** Requests it has passed on, in either direction. */
  readonly requests: number;
};

/** By name of the pod. Throws an Error that says what to start when there is no control API. */
export async function usageOfProxies(control: string): Promise<ReadonlyMap<string, Usage>> {
  const { proxies } = (await get(`${control}/lateen/v1/proxies`).then((r) => r.json())) as {
    proxies: readonly { readonly proxy: string; readonly sync: string }[];
  };
  const connected = proxies.filter(({ sync }) => sync !== 'DISCONNECTED');
  const usages = connected.map(async ({ proxy }): Promise<[string, Usage] | null> => {
    const page = await get(`${control}/lateen/v1/proxies/${proxy}/admin/stats/prometheus`).catch(() => null);
    // One that is being replaced at this moment has nothing to say.
    return page === null ? null : [proxy.replace(/\.[^.]*$/, ''), usageOf(await page.text())];
  });
  return new Map((await Promise.all(usages)).filter((entry) => entry !== null));
}

/** Out of Prometheus' text format. */
export function usageOf(page: string): Usage {
  const sum = (name: string): number =>
    [...page.matchAll(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)`, 'gm'))].reduce((total, [, v]) => total + Number(v), 0);
  return {
    cpu: sum('process_cpu_seconds_total'),
    memory: sum('process_resident_memory_bytes'),
    requests: sum('istio_requests_total'),
  };
}

async function get(url: string): Promise<Response> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(10_000) }).catch((error: unknown) => {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
    throw new Error(
      `no control API at ${new URL(url).origin} (${cause}): docker compose up -d, or npm start, and wait for it`,
    );
  });
  if (answer.ok) return answer;
  throw new Error(`${url} answers ${answer.status}: ${(await answer.text()).slice(0, 200)}`);
}
