/** Pages without pause, to catch the one request that a change of configuration would break. */
import { fetchPage, type Page } from './page.ts';

export type LoadOptions = {
  /** How many ask at the same time. */
  readonly clients?: number;
  /** Whether a page is as it should be; by default: status 200 and no error sentence in it. */
  readonly fine?: (page: Page) => boolean;
};

export type LoadResult = {
  readonly requests: number;
  /** One line for each page that was not fine; the first twenty, and how many there were besides. */
  readonly failed: readonly string[];
};

export type Load = AsyncDisposable & {
  /** How many pages have come so far. */
  readonly requests: () => number;
  /** Lets requests under way finish. */
  stop(): Promise<LoadResult>;
};

const KEPT = 20;

const wholeAndFine = ({ status, errors, body }: Page): boolean =>
  status === 200 && errors.length === 0 && body.endsWith('</html>\n');

export function startLoad(gateway: string, { clients = 2, fine = wholeAndFine }: LoadOptions = {}): Load {
  const failed: string[] = [];
  let requests = 0;
  let unfine = 0;
  const fail = (why: string): Promise<void> => {
    if (++unfine <= KEPT) failed.push(`${new Date().toISOString()} ${why}`);
    return new Promise((resolve) => setTimeout(resolve, 10)); // what fails at once would only spin
  };
  const stopping = new AbortController();
  const ask = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      requests++;
      try {
        const page = await fetchPage(gateway, new Map());
        if (!fine(page)) await fail(`${page.status} ${page.errors.join(', ')} ${page.body.slice(-200)}`);
      } catch (error) {
        const { message, cause } = error as Error;
        await fail(`${message} ${cause instanceof Error ? cause.message : ''}`);
      }
    }
  };
  const asking = Array.from({ length: clients }, ask);
  const stop = async (): Promise<void> => {
    stopping.abort();
    await Promise.all(asking);
  };
  return {
    requests: () => requests,
    [Symbol.asyncDispose]: stop,
    stop: async () => {
      await stop();
      if (unfine > KEPT) failed.push(`and ${unfine - KEPT} more`);
      return { requests, failed };
    },
  };
}
