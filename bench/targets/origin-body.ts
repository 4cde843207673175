/** What the origin says: 400 bytes, the size of a BookInfo review. */
const START = '{"id":"0","podname":"reviews-v3","clustername":"null","reviews":[{"reviewer":"Reviewer1","text":"';
const END = '"}]}';

export const BODY = START + 'A comedy of errors. '.repeat(20).slice(0, 400 - START.length - END.length) + END;
