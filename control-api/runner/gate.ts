/** Lets so many through at a time: a few processes that start at once are quicker than all of them. */

export type Gate = {
  /** Resolves with the function that lets the next one through. */
  enter(): Promise<() => void>;
};

export function gate(width: number): Gate {
  let inside = 0;
  const waiting: (() => void)[] = [];
  const leave = (): void => {
    const next = waiting.shift();
    if (next === undefined) inside--;
    else next();
  };
  const ticket = (): (() => void) => {
    let left = false;
    return () => {
      if (!left) leave();
      left = true;
    };
  };
  return {
    enter() {
      if (inside < width) {
        inside++;
        return Promise.resolve(ticket());
      }
      return new Promise((resolve) => waiting.push(() => resolve(ticket())));
    },
  };
}
