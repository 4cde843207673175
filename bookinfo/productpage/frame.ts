/** What every page of productpage shares: head, top bar with the session, main. */
import { markup, type Markup } from './markup.ts';

export const TITLE = 'Simple Bookstore App';

/** A whole HTML document. Its links are relative, so that it also works behind a path prefix. */
export const frame = (user: string | null, main: Markup): string =>
  markup`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${TITLE}</title>
<link rel="stylesheet" href="static/bookinfo.css">
<link rel="icon" type="image/svg+xml" href="static/book.svg">
</head>
<body>
<header class="bar">
<a class="brand" href="productpage"><img src="static/book.svg" alt="" width="28" height="28">BookInfo <span>Sample</span></a>
${session(user)}
</header>
<main>
${main}
</main>
</body>
</html>
`.text;

const session = (user: string | null): Markup =>
  user === null
    ? markup`<details class="sign-in">
<summary>Sign in</summary>
<form method="post" action="login" name="login_form">
<label>User name <input name="username" required maxlength="64" autocomplete="username" autocapitalize="none"></label>
<label>Password <input name="passwd" type="password" autocomplete="current-password"></label>
<p>Any password will do: this is a sample.</p>
<button>Sign in</button>
</form>
</details>`
    : markup`<p class="session"><span class="avatar" aria-hidden="true">${String.fromCodePoint(user.codePointAt(0) ?? 63)}</span> <b>${user}</b> <a href="logout">Sign out</a></p>`;
