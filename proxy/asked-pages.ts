/** Admin pages for the control API, which asks for them on the stream: for whoever cannot reach the admin port itself. */
import type { AdminContext } from './admin/context.ts';
import { envoyRoutes } from './admin/envoy-admin.ts';
import { pageOf, text, type AdminRoute, type Answer } from './admin/http-service.ts';
import { MAX_PAGE, MAX_PAGES, SHOWN_PAGES } from './core/admin-pages.ts';
import type { AnsweredPage, ControlApiSource } from './sources/control-api.ts';

/** From now on, what is asked on this stream is answered. */
export function answerAsks(control: Pick<ControlApiSource, 'onAsk' | 'answer'>, context: AdminContext): void {
  const routes = envoyRoutes(context);
  let answering = 0;
  const answer = async (id: string, path: string): Promise<void> => {
    // The control API asks for no more; somebody else is not answered.
    if (answering >= MAX_PAGES) return;
    answering += 1;
    await control.answer(id, bounded(await shownPage(routes, path)));
    answering -= 1;
  };
  control.onAsk = (id, path) => void answer(id, path);
}

/** Only what shows something: nobody changes a proxy from afar. */
function shownPage(routes: ReadonlyMap<string, AdminRoute>, target: string): Promise<Answer> | Answer {
  const [path = ''] = target.split('?', 1);
  if (SHOWN_PAGES.includes(path)) return pageOf(routes, 'GET', target);
  return text(`path: expected one of ${SHOWN_PAGES.join(', ')}, got ${JSON.stringify(path.slice(0, 200))}\n`, 400);
}

function bounded({ status, body, type = 'text/plain; charset=UTF-8' }: Answer): AnsweredPage {
  if (typeof body !== 'string') return { status, type, body: bytesOf(body) };
  if (Buffer.byteLength(body) <= MAX_PAGE) return { status, type, body };
  return bounded(text(`the page is larger than ${MAX_PAGE} bytes; ask for a part of it, or on the admin port\n`, 500));
}

/** Pages are made as they are taken; one that does not end breaks off. */
async function* bytesOf(pages: AsyncIterable<string>): AsyncGenerator<Uint8Array> {
  let sent = 0;
  for await (const page of pages) {
    const bytes = Buffer.from(page);
    sent += bytes.length;
    if (sent > MAX_PAGE) throw new Error(`the page is larger than ${MAX_PAGE} bytes`);
    yield bytes;
  }
}
