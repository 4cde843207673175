/** The product page as Istio's own tests read it: by its stars, their colour and its error sentences. */

export type Page = {
  readonly status: number;
  readonly body: string;
  /** Full stars: 9 with ratings, else 0. */
  readonly stars: number;
  readonly colour: 'none' | 'black' | 'red' | 'mixed';
  /** Sentences about something that could not be had, in the order of the page. */
  readonly errors: readonly string[];
  readonly ms: number;
};

const ERRORS = /Error fetching product \w+|Ratings service is currently unavailable/g;

export function readPage(status: number, body: string, ms: number): Page {
  const colours = new Set([...body.matchAll(/color="(red|black)"/g)].map(([, colour]) => colour as 'red' | 'black'));
  return {
    status,
    body,
    stars: body.split('glyphicon glyphicon-star"').length - 1,
    colour: colours.size > 1 ? 'mixed' : ([...colours][0] ?? 'none'),
    errors: body.match(ERRORS) ?? [],
    ms,
  };
}

/** `cookies` keeps the session of each user who has signed in. */
export async function fetchPage(gateway: string, cookies: Map<string, string>, user?: string): Promise<Page> {
  const url = `${gateway}/productpage`;
  if (user !== undefined && !cookies.has(user)) cookies.set(user, await signIn(gateway, user));
  const started = performance.now();
  const answer = await fetch(url, user === undefined ? {} : { headers: { cookie: cookies.get(user)! } });
  return readPage(answer.status, await answer.text(), performance.now() - started);
}

/** The session cookie. */
export async function signIn(gateway: string, user: string): Promise<string> {
  const answer = await fetch(`${gateway}/login`, {
    method: 'POST',
    body: new URLSearchParams({ username: user, passwd: 'any' }),
    headers: { referer: `${gateway}/productpage` },
    redirect: 'manual',
  });
  const cookie = answer.headers.getSetCookie()[0]?.split(';')[0];
  if (answer.status !== 302 || cookie === undefined)
    throw new Error(`POST /login answered ${answer.status}: ${await answer.text()}`);
  return cookie;
}
