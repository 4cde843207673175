/**
 * Property tests draw the same cases in every run of the gate, so that a red gate is never a matter of luck.
 * `LATEEN_SEED=random npm test` draws others; a failure names the seed that repeats it.
 */
import fc from 'fast-check';

const wanted = process.env['LATEEN_SEED'] ?? '20261121';
if (wanted !== 'random') fc.configureGlobal({ seed: Number(wanted) });
