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
  /** One line for each page that was not fine. */
  readonly failed: readonly string[];
};

export type Load = {
  /** How many pages have come so far. */
  readonly requests: () => number;
  /** Lets requests under way finish. */
  stop(): Promise<LoadResult>;
};

const wholeAndFine = ({ status, errors, body }: Page): boolean =>
  status === 200 && errors.length === 0 && body.endsWith('</html>\n');

export function startLoad(gateway: string, { clients = 2, fine = wholeAndFine }: LoadOptions = {}): Load {
  const failed: string[] = [];
  let requests = 0;
  const stopping = new AbortController();
  const ask = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      requests++;
      try {
        const page = await fetchPage(gateway, new Map());
        if (!fine(page))
          failed.push(`${new Date().toISOString()} ${page.status} ${page.errors.join(', ')} ${page.body.slice(-200)}`);
      } catch (error) {
        const { message, cause } = error as Error;
        failed.push(`${new Date().toISOString()} ${message} ${cause instanceof Error ? cause.message : ''}`);
      }
    }
  };
  const asking = Array.from({ length: clients }, ask);
  return {
    requests: () => requests,
    stop: async () => {
      stopping.abort();
      await Promise.all(asking);
      return { requests, failed };
    },
  };
}
