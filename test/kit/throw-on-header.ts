/**
 * Preloaded (`--import`) into a proxy by tests: a request that no route matches and that has the header `x-test-fault` throws in the
 * middle of its handler (`throw`), or ends its worker thread (`exit`).
 */
import { get } from '#proxy/core/header-list.ts';
import { Exchange } from '#proxy/live/exchange.ts';

// oxlint-disable-next-line typescript/unbound-method -- it is called with its `this` below
const { flag } = Exchange.prototype;

Exchange.prototype.flag = function (this: Exchange, short) {
  const fault = get(this.headers, 'x-test-fault');
  if (fault === 'throw') throw new Error('injected');
  if (fault === 'exit') process.exit(9);
  flag.call(this, short);
};
