/** The form by which reviews kept in a database are added to, and deleted. Both post: a link must not change anything. */
import { markup, type Markup } from './markup.ts';

/** `some`: there are reviews that could be deleted. The limits are those of the columns, and reviews checks them again. */
export const reviewForm = (
  some: boolean,
): Markup => markup`<form class="review" method="post" action="postReview" name="review_form">
<h3>Review this book</h3>
<label>Your name <input name="reviewer" required maxlength="40" autocomplete="name"></label>
<label>Stars <input name="rating" type="number" required min="1" max="5" step="1" inputmode="numeric"></label>
<label>Your review <textarea name="review" required maxlength="1000" rows="3"></textarea></label>
<button>Post review</button>
</form>
${some ? markup`<form class="delete" method="post" action="deleteReviews"><button>Delete all reviews</button></form>` : null}`;
