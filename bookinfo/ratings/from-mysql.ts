/** Ratings out of MySQL: the pattern's (a column of its reviews), and Istio's v2-mysql with its quirks. */
import type { Database } from '../mysql/database.ts';
import { json, type Reply } from '../service.ts';

/** The first five reviews are the ones people see. */
const OF_REVIEWS = 'SELECT Rating FROM reviews WHERE BookID = ? ORDER BY ReviewID LIMIT 5';

/** `{"Reviewer1":4,"Reviewer2":5}`: a reviewer per row there is now. The original kept old values, and crashed without its database. */
export async function ratingsOfReviews(database: Database, id: number): Promise<Reply> {
  const result = await database.read(OF_REVIEWS, [1]);
  if (!result.ok) return { ...json(500, { error: 'the database is unavailable' }), problem: result.reason };
  const ratings = result.rows.map(({ Rating }, i) => [`Reviewer${i + 1}`, Number(Rating ?? 0)] as const);
  return json(200, { id, ratings: Object.fromEntries(ratings) });
}

/** As ratings.js of Istio's sample: always two reviewers, 0 for a row that is not there. */
export async function ratingsOfIstio(database: Database, id: number): Promise<Reply> {
  const result = await database.read('SELECT Rating FROM ratings', []);
  if (result.ok) {
    const [first, second] = result.rows.map(({ Rating }) => Number(Rating ?? 0));
    return json(200, { id, ratings: { Reviewer1: first ?? 0, Reviewer2: second ?? 0 } });
  }
  if (result.stage === 'query') return { ...json(500, { error: 'could not perform select' }), problem: result.reason };
  // The original forgets to write a head here: status 200 and no content type.
  return {
    status: 200,
    body: JSON.stringify({ error: 'could not connect to ratings database' }),
    problem: result.reason,
  };
}
