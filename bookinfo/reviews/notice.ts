/** The two pages reviews has of its own: what was wrong, and whether all reviews shall really go. */
import { markup, type Markup } from '../productpage/markup.ts';
import { html, type Reply } from '../service.ts';

export const notice = (status: number, error: string, faults: Readonly<Record<string, string>>): Reply =>
  page(
    status,
    markup`<h1>That did not work</h1>
<p role="alert" class="problem">${error[0]!.toUpperCase() + error.slice(1)}.</p>
<ul>${Object.entries(faults).map(([field, fault]) => markup`<li><b>${field}</b>: ${fault}</li>`)}</ul>
<p><a href="productpage">Back to the book</a></p>`,
  );

/** A link that deletes at once, as the original has, would be followed by every prefetcher. */
export const question = (): Reply =>
  page(
    200,
    markup`<h1>Delete all reviews?</h1>
<form method="post" action="deleteReviews"><button>Delete all reviews</button></form>
<p><a href="productpage">Back to the book</a></p>`,
  );

const page = (status: number, main: Markup): Reply => {
  const reply = html(
    status,
    markup`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Simple Bookstore App</title>
<link rel="stylesheet" href="static/bookinfo.css">
</head>
<body>
<main>
<section class="card">
${main}
</section>
</main>
</body>
</html>
`.text,
  );
  const policy = "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'";
  return { ...reply, headers: { ...reply.headers, 'content-security-policy': policy, 'cache-control': 'no-store' } };
};
